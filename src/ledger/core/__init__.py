"""The core: pure functions over events and states; no I/O, no time, no chance."""
