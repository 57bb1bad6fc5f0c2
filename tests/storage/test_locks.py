"""Locks exclude, wait, say who holds them, and die with their holder."""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from ledger.errors import BusyError, StorageError
from ledger.storage.locks import Lock, hold_all
from ledger.storage.queue import Queue

HOLDER = """
import sys, time
from pathlib import Path
from ledger.storage.locks import Lock
with Lock(Path(sys.argv[1])).hold(1):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "locks" / "queue"


def test_a_held_lock_is_busy_and_names_its_holder(path: Path) -> None:
    with Lock(path).hold(0):
        assert Lock(path).is_held()
        with pytest.raises(BusyError, match=f"process {os.getpid()}"), Lock(path).hold(0):
            pass
    assert not Lock(path).is_held()
    with Lock(path).hold(0):
        pass


def test_waiting_ends_when_the_holder_lets_go(path: Path) -> None:
    entered = threading.Event()

    def hold() -> None:
        with Lock(path).hold(0):
            entered.set()
            time.sleep(0.1)

    holder = threading.Thread(target=hold)
    holder.start()
    entered.wait()
    with Lock(path).hold(5):
        holder.join(timeout=5)
        assert not holder.is_alive()


def test_a_killed_holder_holds_nothing(path: Path) -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    holder.stdout.readline()
    with pytest.raises(BusyError, match=f"process {holder.pid}"), Lock(path).hold(0.05):
        pass
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    holder.stdout.close()
    with Lock(path).hold(0):
        assert Lock(path).holder() == os.getpid()


@pytest.mark.parametrize("make", [Lock, Queue])
def test_a_fork_keeps_nothing_of_what_another_thread_held(path: Path, make: type[Lock | Queue]) -> None:
    held, over = threading.Event(), threading.Event()

    def hold() -> None:
        with make(path).hold(0):
            held.set()
            over.wait()

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait()
    fork = multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,))
    fork.start()
    over.set()
    holder.join()
    try:
        with make(path).hold(1):
            assert fork.is_alive()
    finally:
        fork.kill()
        fork.join()


def test_a_fork_that_leaves_the_block_gives_back_nothing_of_its_parents(path: Path) -> None:
    with ExitStack() as block:
        block.enter_context(Lock(path).hold(0))
        fork = os.fork()
        if fork == 0:
            block.close()
            os._exit(0)
        os.waitpid(fork, 0)
        assert Lock(path).is_held()


def test_sharers_exclude_only_who_wants_it_alone(path: Path) -> None:
    sharing = Lock(path).hold(0, shared=True), Lock(path).hold(0, shared=True)
    with sharing[0], sharing[1], pytest.raises(BusyError), Lock(path).hold(0):
        pass
    with Lock(path).hold(0), pytest.raises(BusyError), Lock(path).hold(0, shared=True):
        pass


def test_only_a_lock_that_nobody_holds_is_discarded(path: Path) -> None:
    with Lock(path).hold(0):
        assert not Lock(path).discard()
        assert path.exists()
    assert Lock(path).discard()
    assert not path.exists()


def test_a_discarded_file_never_gives_two_holders(path: Path) -> None:
    """Threads hold and discard at random; what they count under the lock comes out whole."""
    count = 0

    def work() -> None:
        nonlocal count
        for n in range(200):
            with Lock(path).hold(10):
                seen = count
                time.sleep(0)
                count = seen + 1
            if n % 3 == 0:
                Lock(path).discard()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert count == 800


def test_many_are_held_at_once_and_the_limit_of_open_files_is_as_before(path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len([*Path("/dev/fd").iterdir()]) + 20, before[1]))
    low = resource.getrlimit(resource.RLIMIT_NOFILE)
    paths = [path.with_name(f"{number}") for number in range(40)]
    try:
        with hold_all(paths, 0):
            assert all(Lock(one).is_held() for one in paths)
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == low
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert not any(Lock(one).is_held() for one in paths)


def test_a_lock_file_is_private(path: Path) -> None:
    os.umask(0)
    with Lock(path).hold(0):
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700


def test_on_a_full_disk_the_lock_that_could_not_be_signed_is_named(small_disk: Path) -> None:
    lock = Lock(small_disk / "lock")
    lock.path.touch()
    with (small_disk / "fill").open("wb", buffering=0) as file, suppress(OSError):
        while file.write(b"x" * 4096):
            pass
    with pytest.raises(StorageError, match=str(lock.path)):
        lock.take(0)
    (small_disk / "fill").unlink()
    with lock.hold(0):  # nothing is left behind
        pass
