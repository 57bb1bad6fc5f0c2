"""What agents hand to their hooks: one file an agent tells whose a payload is, and what it says."""
