"""A hook that is killed at any call of the system leaves no part of a payload among those that are acknowledged."""

from __future__ import annotations

import itertools
import os
import random
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.hooks.conftest import Hook

from ledger.storage import spool

STRACE = shutil.which("strace")
PAYLOAD = random.Random(7).randbytes(200_000)
WRITING = {"openat", "write", "fsync", "rename", "renameat", "renameat2", "unlink", "unlinkat", "ftruncate", "mkdir"}
NEVER_DONE = {"execve", "exit_group"}  # the first starts what would be killed, and of the last nothing is left to kill
TOOLS = ("dd", "mv", "sync")

pytestmark = pytest.mark.skipif(STRACE is None, reason="there is no strace here")


def killing(call: str, number: int) -> list[str]:
    """What runs a program and kills it when it makes a call for the given time, before the call is done."""
    kill = f"inject={call}:signal=KILL:when={number}"
    return [str(STRACE), "-qq", "-o", os.devnull, "-e", f"trace={call}", "-e", kill]


def wrap(hook: Hook, tool: str, wrapper: Path, words: str) -> None:
    """Have the hook run one of its programs through others, `words`; how it ended stands beside the wrapper."""
    program = shutil.which(tool)
    wrapper.write_text(f'#!/bin/sh\n{words} {program} "$@"\ncode=$?\necho $code >"$0.ended"\nexit $code\n')
    wrapper.chmod(0o700)
    text = hook.layout.hook.read_text().replace(f"\n{tool}={program}\n", f"\n{tool}='{wrapper}'\n")
    hook.layout.hook.write_text(text)


def made(trace: Path) -> set[str]:
    """The calls of the system that a trace tells of."""
    names = re.findall(r"^([a-z_0-9]+)\(", trace.read_text(errors="replace"), re.MULTILINE)
    return set(names) - NEVER_DONE


def kill_shell(hook: Hook, call: str, shell: tuple[str, ...] = ("sh",)) -> Iterator[int]:
    """Kill the shell when it makes a call for the first time, the second, and so on; how each run ended."""
    for number in itertools.count(1):
        ended = hook.run(PAYLOAD, shell=(*killing(call, number), *shell)).returncode
        yield ended
        if ended == 0:
            return


def kill_tool(hook: Hook, tool: str, call: str, folder: Path) -> Iterator[int]:
    """The same with one of the programs that the shell runs; how the program ended each time."""
    wrapper = folder / tool
    for number in itertools.count(1):
        wrap(hook, tool, wrapper, " ".join(killing(call, number)))
        assert hook.run(PAYLOAD).returncode == 0
        ended = int(wrapper.with_name(f"{tool}.ended").read_text())
        yield ended
        if ended == 0:
            return


def settle(hook: Hook) -> int:
    """Check that all that waits is whole, and forget it; how much it was."""
    kept = hook.kept()
    assert all(one == PAYLOAD for one in kept)
    for one in spool.waiting(hook.layout):
        spool.done(one)
    return len(kept)


def sweep_shell(hook: Hook, calls: set[str] | None, folder: Path, shell: tuple[str, ...] = ("sh",)) -> int:
    """Kill the shell at each of its calls, or those of them that are named; at how many."""
    trace = folder / "trace"
    hook.run(PAYLOAD, shell=(str(STRACE), "-qq", "-o", str(trace), *shell))
    points = -settle(hook) + 1
    for call in sorted(made(trace) & (calls or made(trace))):
        for ended in kill_shell(hook, call, shell):
            kept = settle(hook)
            assert ended in (0, -signal.SIGKILL)
            assert kept == 1 if ended == 0 else kept <= 1
            points += ended != 0
    return points


def sweep_tool(hook: Hook, tool: str, calls: set[str] | None, folder: Path) -> int:
    """The same with one of the programs that the shell runs."""
    trace = folder / "trace"
    wrap(hook, tool, folder / tool, f"{STRACE} -qq -o '{trace}'")
    hook.run(PAYLOAD)
    points = -settle(hook) + 1
    for call in sorted(made(trace) & (calls or made(trace))):
        for ended in kill_tool(hook, tool, call, folder):
            kept = settle(hook)
            # Once the name is in its place, it does not matter how the rest ends.
            assert kept == 1 if ended == 0 or tool == "sync" else kept <= 1
            points += ended != 0
    return points


def test_a_shell_killed_at_any_write_leaves_payloads_whole(hook: Hook, tmp_path: Path) -> None:
    assert sweep_shell(hook, WRITING, tmp_path) >= 8


@pytest.mark.parametrize(("tool", "points"), [("dd", 8), ("mv", 5), ("sync", 4)])
def test_a_program_of_the_hook_killed_at_any_write_leaves_payloads_whole(
    hook: Hook, tmp_path: Path, tool: str, points: int
) -> None:
    assert sweep_tool(hook, tool, WRITING, tmp_path) >= points


def test_a_payload_that_was_whole_when_its_rename_was_killed_is_kept_all_the_same(hook: Hook, tmp_path: Path) -> None:
    hook.equip()
    hook.layout.draining.write_text(f"{os.getpid()}\n")
    trace = tmp_path / "trace"
    wrap(hook, "mv", tmp_path / "mv", f"{STRACE} -qq -o '{trace}'")
    hook.run(PAYLOAD)
    settle(hook)
    for call in made(trace) & {"rename", "renameat", "renameat2"}:
        ended = [settle(hook) for _ in kill_tool(hook, "mv", call, tmp_path)]
        assert ended == [1, 1]
    assert hook.drafts() == []


def test_a_payload_is_synced_before_it_gets_its_name_and_the_name_before_the_hook_ends(
    hook: Hook, tmp_path: Path
) -> None:
    trace = tmp_path / "trace"
    hook.run(PAYLOAD, shell=(str(STRACE), "-f", "-qq", "-y", "-e", "trace=fsync,/^rename", "-o", str(trace), "sh"))
    (captured,) = spool.waiting(hook.layout)
    done = [line.split(maxsplit=1)[1] for line in trace.read_text().splitlines() if "= 0" in line]
    assert len(done) == 3
    assert done[0].startswith("fsync(")
    assert f"{hook.layout.spool}/tmp/{captured.path.name}>" in done[0]
    assert done[1].startswith("rename")
    assert done[2].startswith("fsync(")
    assert f"{captured.path.parent}>" in done[2]


def test_what_a_fault_of_the_disk_leaves_unsynced_is_not_acknowledged(hook: Hook, tmp_path: Path) -> None:
    """The first fsync fails: what dd wrote may be anything, so it is not kept, and the agent notices nothing."""
    fault = f"{STRACE} -qq -o {os.devnull} -e trace=fsync -e inject=fsync:error=EIO"
    wrap(hook, "dd", tmp_path / "dd", fault)
    done = hook.run(PAYLOAD)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert (hook.kept(), hook.drafts()) == ([], [])


# The full sweeps: `make torture`


@pytest.mark.slow
@pytest.mark.parametrize("shell", [("dash",), ("bash", "--posix"), ("busybox", "sh")], ids=" ".join)
def test_a_shell_killed_at_any_call_leaves_payloads_whole(hook: Hook, tmp_path: Path, shell: tuple[str, ...]) -> None:
    if shutil.which(shell[0]) is None:
        pytest.skip(f"there is no {shell[0]} here")
    assert sweep_shell(hook, None, tmp_path, shell) > 60


@pytest.mark.slow
@pytest.mark.parametrize("tool", TOOLS)
def test_a_program_of_the_hook_killed_at_any_call_leaves_payloads_whole(hook: Hook, tmp_path: Path, tool: str) -> None:
    assert sweep_tool(hook, tool, None, tmp_path) > 30


@pytest.mark.slow
def test_hooks_killed_with_all_that_they_run_at_any_time_leave_payloads_whole(hook: Hook) -> None:
    chance, whole = random.Random(3), 0
    for _ in range(400):
        process = subprocess.Popen(hook.command(), stdin=subprocess.PIPE, start_new_session=True)
        assert process.stdin is not None
        process.stdin.write(PAYLOAD[:60_000])  # as much as a pipe takes at once
        process.stdin.close()
        time.sleep(chance.uniform(0, 0.012))
        os.killpg(process.pid, signal.SIGKILL)  # nobody has waited for it yet, so it is there, if only as a zombie
        ended = process.wait()
        kept = hook.kept()
        assert all(one == PAYLOAD[:60_000] for one in kept)
        assert len(kept) == 1 if ended == 0 else len(kept) <= 1
        whole += len(kept)
        for one in spool.waiting(hook.layout):
            spool.done(one)
    assert 0 < whole < 400
