"""Damage on the disk is put right or named, and nothing hangs: flipped bits everywhere, objects cut short.

Each case is a copy of a sound ledger with one fault in it, opened, read and verified by a process with a deadline.
What that process may never do: call a ledger sound that has lost something.
"""

from __future__ import annotations

import json
import os
import random
import select
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ledger.actions.append import Draft
from ledger.actions.find import tips
from ledger.actions.tip import event_id
from ledger.actions.verify import verify
from ledger.api import Ledger, create_ledger, open_ledger
from ledger.errors import LedgerError
from ledger.storage.maintenance import gc

DEADLINE = 30.0  # seconds; libgit2 hangs for ever on an object that is cut short
PLACES = {
    "loose objects": "objects/[0-9a-f][0-9a-f]/*",
    "packs": "objects/pack/*.pack",
    "indexes": "objects/pack/*.idx",
    "refs": "refs/heads/**/*",
    "packed refs": "packed-refs",
    "HEAD and config": "[Hc]*[Dg]",
}

Fault = Callable[[Path], object]


@dataclass(frozen=True)
class Sound:
    """A ledger in which all is well, and what must be found in each copy of it."""

    root: Path
    ids: frozenset[str]
    state: dict[str, Any]


@dataclass(frozen=True)
class Found:
    """What a process found in a copy: how it ended, and after how many seconds."""

    outcome: str
    seconds: float


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Sound:
    root = tmp_path_factory.mktemp("sound") / "ledger"
    with create_ledger(root)[0] as ledger:
        write(ledger, 30)
        gc(ledger.layout)
        write(ledger, 20)
        return Sound(root, frozenset(ids(ledger)), state(ledger))


def write(ledger: Ledger, count: int) -> None:
    """Events of three sessions, on main and on lines of their own."""
    chance = random.Random(count)
    for number in range(count):
        me = ledger.session("writer", f"{number % 3}")
        me.set(f"k/{chance.randrange(8)}", f"value {number}")
        if number % 4 == 0:
            me.record([Draft("note.added", {"text": f"of its own {number}"})])


def ids(ledger: Ledger) -> Iterator[str]:
    return (str(event_id(commit)) for commit in ledger.place.store.walk(tips(ledger.place)))


def state(ledger: Ledger) -> dict[str, Any]:
    return {str(one.key): one.entry.cell.value for one in ledger.keys("")}


def found_in(root: Path) -> dict[str, Any]:
    """What somebody finds who opens a ledger, reads all of it, verifies it, and writes."""
    try:
        with open_ledger(root) as ledger:
            ledger.session("writer", "next").note("goes on")
            told = {"ids": sorted(ids(ledger)), "state": state(ledger), "restored": ledger.restored is not None}
            return told | {"problems": [p.kind for p in verify(ledger.place, full=True).problems]}
    except LedgerError as error:
        return {"error": f"{type(error).__name__}: {error.message}"}


def judge(sound: Sound, root: Path) -> Found:
    """Look into a copy from a process of its own; fails for a silent loss, a traceback or a hang."""
    began = time.monotonic()
    told = json.loads(_from_child(lambda: json.dumps(found_in(root)).encode()))
    seconds = time.monotonic() - began
    if "error" in told or told["problems"]:
        return Found("named", seconds)
    assert sound.ids <= set(told["ids"]), "events are missing, and nobody says so"
    assert told["state"] == sound.state
    return Found("put right" if told["restored"] else "no harm", seconds)


def _from_child(work: Callable[[], bytes]) -> bytes:
    out, inside = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(inside, work())
        finally:
            os._exit(0)
    os.close(inside)
    try:
        assert select.select([out], [], [], DEADLINE)[0], f"it hangs: nothing after {DEADLINE} s"
        told = os.read(out, 1 << 20)
        assert told, "it ended without a word"
        return told
    finally:
        os.close(out)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def after(sound: Sound, folder: Path, fault: Fault) -> Found:
    """What is found in a copy with a fault in it."""
    root = folder / "copy"
    shutil.copytree(sound.root, root)
    try:
        fault(root)
        return judge(sound, root)
    finally:
        shutil.rmtree(root)


def flip(root: Path, place: str, chance: random.Random) -> None:
    """Turn one bit over in one of the files."""
    path = chance.choice(sorted(path for path in (root / "ledger.git").glob(PLACES[place]) if path.is_file()))
    data = bytearray(path.read_bytes())
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    _overwrite(path, bytes(data))


def cut(root: Path, name: Path, length: int) -> None:
    """Leave only so many bytes of a file."""
    path = root / name
    _overwrite(path, path.read_bytes()[:length])


def _overwrite(path: Path, data: bytes) -> None:
    path.chmod(0o600)
    path.write_bytes(data)


def flip_many(sound: Sound, folder: Path, count: int, seed: int) -> dict[str, Counter[str]]:
    chance = random.Random(seed)
    table: dict[str, Counter[str]] = {place: Counter() for place in PLACES}
    longest = 0.0
    for number in range(count):
        place = list(PLACES)[number % len(PLACES)]
        found = after(sound, folder, lambda root, place=place: flip(root, place, chance))
        table[place][found.outcome] += 1
        longest = max(longest, found.seconds)
    print(f"{count} flips, seed {seed}, longest {longest:.2f} s: {table}")
    return table


def loose(sound: Sound) -> list[Path]:
    """The loose objects, by their size."""
    found = sorted((sound.root / "ledger.git").glob(PLACES["loose objects"]), key=lambda path: path.stat().st_size)
    return [path.relative_to(sound.root) for path in found]


def test_a_flipped_bit_is_put_right_or_named(sound: Sound, tmp_path: Path) -> None:
    table = flip_many(sound, tmp_path, 2 * len(PLACES), seed=1)
    assert all(sum(counts.values()) == 2 for counts in table.values())


def test_an_object_that_is_cut_short_is_put_right_or_named(sound: Sound, tmp_path: Path) -> None:
    objects = loose(sound)
    for name in (objects[0], objects[-1]):
        for length in (0, (sound.root / name).stat().st_size // 2):
            found = after(sound, tmp_path, lambda root, name=name, length=length: cut(root, name, length))
            assert found.outcome in ("put right", "named")


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", [1, 2])
def test_five_hundred_flipped_bits_are_put_right_or_named(sound: Sound, tmp_path: Path, seed: int) -> None:
    table = flip_many(sound, tmp_path, 500, seed)
    assert all(table.values())


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("which", [0, 0.5, 1])
def test_an_object_is_put_right_or_named_at_whatever_length_it_is_cut(
    sound: Sound, tmp_path: Path, which: float
) -> None:
    objects = loose(sound)
    name = objects[round(which * (len(objects) - 1))]
    for length in range((sound.root / name).stat().st_size):
        found = after(sound, tmp_path, lambda root, length=length: cut(root, name, length))
        assert found.outcome in ("put right", "named"), length
