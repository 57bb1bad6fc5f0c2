"""A hook keeps every payload whole, ends with 0 and says nothing, whatever the shell, the disk and the agent do."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.hooks.conftest import Hook, was_silent

from ledger.storage import spool, switches
from ledger.storage.layout import MAIN
from ledger.storage.spool import Fired
from ledger.storage.switches import Switch

SHELLS = [("dash",), ("bash", "--posix"), ("busybox", "sh")]
ROOT = os.geteuid() == 0
NOBODY = 65534


@pytest.fixture(params=SHELLS, ids=" ".join)
def shell(request: pytest.FixtureRequest) -> tuple[str, ...]:
    words: tuple[str, ...] = request.param
    if shutil.which(words[0]) is None:
        pytest.skip(f"there is no {words[0]} here")
    return words


def apart(hook: Hook, mounts: str, payload: bytes = b'{"a": 1}', **more: str) -> subprocess.CompletedProcess[bytes]:
    """Run the hook where file systems are as `mounts` makes them; `$L` is the ledger."""
    if not ROOT or subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("only root can mount")
    listing = os.environ["TMPDIR"] + "/../listing"
    with Path(listing).open("wb") as seen:
        told = f"/dev/fd/{seen.fileno()}"  # opened before anything is mounted
        script = (
            f'exec 3>{told}; {mounts} || exit 99; "$L/hook" codex Stop; code=$?; ls -A "$L/spool/new" >&3; exit $code'
        )
        return subprocess.run(
            ["unshare", "-m", "sh", "-c", script],
            input=payload,
            capture_output=True,
            env=os.environ | {"L": str(hook.layout.root)} | more,
            pass_fds=[seen.fileno()],
            check=False,
        )


# What is kept


@pytest.mark.parametrize("size", [1, 4_096, 65_536, 65_537, 3_000_000])
def test_a_payload_is_kept_byte_for_byte(hook: Hook, shell: tuple[str, ...], size: int) -> None:
    payload = random.Random(size).randbytes(size)
    assert was_silent(hook.run(payload, shell=shell))
    assert hook.kept() == [payload]
    assert hook.drafts() == []


def test_a_payload_is_kept_with_the_agent_the_event_and_the_process_that_ran_it(
    hook: Hook, shell: tuple[str, ...]
) -> None:
    before = time.time_ns() // 1000
    hook.run(event="PostToolUse", shell=shell)
    (captured,) = spool.waiting(hook.layout)
    assert (captured.agent, captured.event, captured.pid) == ("codex", "PostToolUse", os.getpid())
    assert before - 20_000 <= captured.time <= time.time_ns() // 1000
    assert captured.path.stat().st_mode & 0o777 == 0o600
    assert hook.layout.beat_of(os.getpid()).exists()
    assert spool.fired(hook.layout) == {("codex", "PostToolUse"): Fired(1)}


def test_a_payload_that_comes_in_pieces_is_kept_whole(hook: Hook) -> None:
    process = subprocess.Popen(hook.command(), stdin=subprocess.PIPE)
    assert process.stdin is not None
    for piece in (b"one", b"two", b"three"):
        process.stdin.write(piece)
        process.stdin.flush()
        time.sleep(0.05)
    assert hook.kept() == []
    process.stdin.close()
    assert process.wait() == 0
    assert hook.kept() == [b"onetwothree"]


def test_hooks_at_once_keep_every_payload(hook: Hook) -> None:
    payloads = [b"%d" % number for number in range(48)]
    with ThreadPoolExecutor(8) as pool:
        assert all(map(was_silent, pool.map(hook.run, payloads)))
    assert Counter(hook.kept()) == Counter(payloads)
    assert spool.fired(hook.layout) == {("codex", "Stop"): Fired(48)}


@pytest.mark.parametrize("closed", [True, False])
def test_a_hook_that_is_told_nothing_keeps_nothing(hook: Hook, closed: bool) -> None:
    words = ["sh", "-c", 'exec "$0" "$@" <&-', *hook.command()] if closed else hook.command()
    assert was_silent(subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, check=False))
    assert (hook.kept(), hook.drafts()) == ([], [])


# What is not


@pytest.mark.parametrize(
    "arguments",
    [(), ("codex",), ("co/dex", "Stop"), ("..", ".."), ("codex", "x" * 41), ("codex", "a~b"), ("é", "Stop"), ("", "")],
)
def test_a_hook_without_a_proper_name_reads_what_it_is_told_and_keeps_nothing(
    hook: Hook, shell: tuple[str, ...], arguments: tuple[str, ...]
) -> None:
    words = [*shell, str(hook.layout.hook), *arguments]
    assert was_silent(subprocess.run(words, input=bytes(2_000_000), capture_output=True, check=False))
    assert hook.kept() == []
    assert spool.fired(hook.layout) == {}


def test_with_ledger_off_nothing_is_kept_but_a_count(hook: Hook, shell: tuple[str, ...]) -> None:
    assert was_silent(hook.run(bytes(2_000_000), shell=shell, LEDGER_OFF="1"))
    assert hook.kept() == []
    assert spool.fired(hook.layout) == {("codex", "Stop"): Fired(off=1)}
    assert was_silent(hook.run(shell=shell, LEDGER_OFF="0"))
    assert was_silent(hook.run(shell=shell, LEDGER_OFF=""))
    assert len(hook.kept()) == 2


@pytest.mark.parametrize("name", ["hooks", "all"])
def test_while_hooks_are_switched_off_nothing_is_kept_but_a_count(hook: Hook, name: str) -> None:
    switches.turn_off(hook.layout, Switch(name))
    assert was_silent(hook.run(bytes(2_000_000)))
    assert hook.kept() == []
    assert spool.fired(hook.layout) == {("codex", "Stop"): Fired(paused=1)}
    switches.turn_on(hook.layout, name)
    switches.turn_off(hook.layout, Switch("sync"))
    hook.run()
    assert len(hook.kept()) == 1


def test_a_file_in_the_place_of_the_switches_means_all(hook: Hook) -> None:
    hook.layout.off.touch()
    hook.run()
    assert hook.kept() == []


def test_a_ledger_that_is_gone_is_not_made_again(hook: Hook, tmp_path: Path) -> None:
    script = shutil.copy(hook.layout.hook, tmp_path / "hook")
    shutil.rmtree(hook.layout.root)
    done = subprocess.run(["sh", script, "codex", "Stop"], input=b"{}", capture_output=True, check=False)
    assert was_silent(done)
    assert not hook.layout.root.exists()


# A strange world


@pytest.mark.parametrize(
    "environment",
    [
        {"IFS": "/a~"},
        {"CDPATH": "/tmp:/"},
        {"ENV": "/nonexistent; exit 3", "BASH_ENV": "/nonexistent"},
        {"PATH": "/nonexistent"},
        {"PATH": ""},
        {"LC_ALL": "C.UTF-8", "LANG": "xx"},
        {"TMPDIR": ""},
        {"PWD": "/nonexistent", "OLDPWD": "-n"},
        {"POSIXLY_CORRECT": "1", "SHELLOPTS": "noclobber:nounset:errexit:noglob:verbose:xtrace"},
        {"name": "x", "id": "y", "draft": "/etc/passwd", "dd": "/bin/false", "came": "no", "spool": "/"},
    ],
    ids=str,
)
def test_the_environment_changes_nothing(hook: Hook, shell: tuple[str, ...], environment: dict[str, str]) -> None:
    absolute = (str(shutil.which(shell[0])), *shell[1:])
    assert was_silent(hook.run(shell=absolute, **environment))
    assert hook.kept() == [b'{"a": 1}']


@pytest.mark.parametrize("options", ["-e", "-u", "-C", "-f", "-eufC"])
def test_the_shells_options_change_nothing(hook: Hook, shell: tuple[str, ...], options: str) -> None:
    assert was_silent(hook.run(shell=(*shell, options)))
    assert len(hook.kept()) == 1


def test_the_umask_changes_nothing(hook: Hook) -> None:
    os.umask(0)
    hook.run()
    os.umask(0o777)
    hook.run()
    os.umask(0o022)
    files = [path for path in hook.layout.spool.rglob("*") if path.is_file()]
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    assert len(hook.kept()) == 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE, signal.SIGQUIT])
def test_an_agent_that_stops_waiting_stops_no_payload_halfway(hook: Hook, number: signal.Signals) -> None:
    process = subprocess.Popen(hook.command(), stdin=subprocess.PIPE, start_new_session=True)
    assert process.stdin is not None
    process.stdin.write(b"one")
    process.stdin.flush()
    while not hook.drafts() or hook.drafts()[0].stat().st_size not in (0, 3):
        time.sleep(0.005)
    os.killpg(process.pid, number)
    process.stdin.write(b"two")
    process.stdin.close()
    assert process.wait() == 0
    assert hook.kept() == [b"onetwo"]


def test_standard_output_and_error_may_be_closed(hook: Hook, shell: tuple[str, ...]) -> None:
    words = [str(shutil.which("sh")), "-c", 'exec "$0" "$@" >&- 2>&-', *hook.command(shell=shell)]
    subprocess.run(words, input=b"{}", check=True)
    assert hook.kept() == [b"{}"]


def test_without_proc_payloads_have_names_of_their_own_all_the_same(hook: Hook) -> None:
    for _ in range(3):
        assert was_silent(apart(hook, "mount -t tmpfs none /proc"))
    assert len(hook.kept()) == 3


# Where the ledger cannot be written


def test_without_programs_that_sync_the_payload_is_kept_by_python(hook: Hook, shell: tuple[str, ...]) -> None:
    hook.equip()
    text = hook.layout.hook.read_text()
    hook.layout.hook.write_text(text.replace(f"\ndd={shutil.which('dd')}\n", "\ndd=''\n"))
    without_drain(hook)
    payload = random.Random(1).randbytes(300_000)
    assert was_silent(hook.run(payload, shell=shell))
    assert hook.kept() == [payload]
    assert spool.fired(hook.layout) == {("codex", "Stop"): Fired(1)}


def without_drain(hook: Hook) -> None:
    """A process that does nothing says that it drains; its words name a hook, as those of a drain do."""
    hook.processes.append(subprocess.Popen(["hook", "600"], executable=shutil.which("sleep")))
    hook.layout.draining.write_text(f"{hook.processes[-1].pid}\n")


@pytest.mark.parametrize("mounts", ["mount -t tmpfs -o size=4k none $L/spool", "mount --bind -o ro $L $L"])
def test_where_the_disk_is_full_or_read_only_the_payload_waits_elsewhere(hook: Hook, mounts: str) -> None:
    hook.equip()
    mounts = mounts.replace("$L", '"$L"')
    if "tmpfs" in mounts:
        mounts += ' && mkdir "$L/spool/tmp" "$L/spool/new" && { head -c 4096 /dev/zero >"$L/spool/x" || :; }'
    payload = random.Random(1).randbytes(300_000)
    assert was_silent(apart(hook, mounts, payload))
    (captured,) = spool.waiting(hook.layout)
    assert captured.path.is_relative_to(os.environ["TMPDIR"])
    assert spool.read(captured) == payload
    assert spool.fired(hook.layout) == {("codex", "Stop"): Fired(1)}


def test_a_disk_that_fills_up_while_a_payload_is_read_keeps_no_part_of_it(hook: Hook) -> None:
    mounts = 'mount -t tmpfs -o size=64k none "$L/spool" && mkdir "$L/spool/tmp" "$L/spool/new" "$L/spool/fired"'
    assert was_silent(apart(hook, mounts, random.Random(1).randbytes(300_000)))
    assert Path(os.environ["TMPDIR"], "..", "listing").read_bytes() == b""


def test_a_whole_payload_that_cannot_be_moved_waits_elsewhere(hook: Hook) -> None:
    hook.equip()
    mounts = 'cd "$L/spool" && mount -t tmpfs none . && cd "$L/spool" && mkdir tmp new && mount --bind -o ro new new'
    assert was_silent(apart(hook, mounts, b"whole"))
    assert hook.kept() == [b"whole"]


@pytest.mark.skipif(not ROOT, reason="only root can become somebody else")
def test_somebody_who_may_not_write_the_ledger_breaks_nothing(hook: Hook) -> None:
    for folder in (hook.layout.root, *hook.layout.root.parents[:-2]):
        folder.chmod(0o755)
    hook.layout.hook.chmod(0o755)
    before = set(hook.layout.root.rglob("*"))
    done = subprocess.run(
        hook.command(), input=b"{}", capture_output=True, check=False, user=NOBODY, group=NOBODY, extra_groups=[]
    )
    assert was_silent(done)
    assert set(hook.layout.root.rglob("*")) == before


def test_folders_of_the_spool_that_are_missing_are_made_again(hook: Hook) -> None:
    hook.equip()
    shutil.rmtree(hook.layout.spool)
    assert was_silent(hook.run())
    assert len(hook.kept()) == 1


# What runs behind it


@pytest.fixture
def interpreter(tmp_path: Path, hook: Hook) -> Iterator[Path]:
    """An interpreter that notes how it is called, and stays; where it notes that."""
    program, calls = tmp_path / "interpreter", tmp_path / "calls"
    program.write_text(f'#!/bin/sh\necho "$@" >>"{calls}"\nexec sleep 60\n')
    program.chmod(0o755)
    hook.equip(program)
    yield calls
    pid = spool.draining(hook.layout)
    if calls.exists() and pid is not None and pid > 1:
        os.kill(pid, signal.SIGTERM)


def wait_for(calls: Path) -> None:
    """Until the interpreter has been called."""
    deadline = time.monotonic() + 30
    while not (calls.exists() and calls.read_text().endswith("\n")):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_first_hook_starts_a_drain_and_waits_for_nothing_of_it(hook: Hook, interpreter: Path) -> None:
    start = time.monotonic()
    assert was_silent(hook.run())
    assert time.monotonic() - start < 30  # half of what the interpreter stays
    wait_for(interpreter)
    assert interpreter.read_text().startswith("-I /")
    assert interpreter.read_text().endswith(f"/hooks/drain.py {hook.layout.root}\n")


def test_while_a_drain_runs_no_other_is_started(hook: Hook, interpreter: Path) -> None:
    without_drain(hook)
    hook.run()
    assert not interpreter.exists()


@pytest.mark.parametrize("content", ["", "0\n", "-1\n", "1\n", "x\n", "99999999\n", "* *\n"])
def test_a_drain_that_is_not_there_is_started_whatever_the_file_says(
    hook: Hook, interpreter: Path, content: str
) -> None:
    hook.layout.draining.write_text(content)
    assert was_silent(hook.run())
    wait_for(interpreter)


def test_a_payload_is_kept_where_what_answers_cannot_even_start(hook: Hook) -> None:
    for python in ("/bin/false", "/nonexistent/python", __file__):
        hook.equip(python, (("codex", "SessionStart"),))
        without_drain(hook)
        assert was_silent(hook.run(b"kept", event="SessionStart"))
    assert hook.kept() == [b"kept"] * 3


def test_a_hook_that_answers_keeps_its_payload_once(hook: Hook) -> None:
    hook.equip(answering=(("codex", "SessionStart"), ("codex", "UserPromptSubmit")))
    without_drain(hook)
    done = hook.run(b'{"unknown": 1}', event="SessionStart")
    assert (done.returncode, done.stdout) == (0, b"")
    assert hook.kept() == [b'{"unknown": 1}']
    assert spool.fired(hook.layout) == {("codex", "SessionStart"): Fired(1)}


def test_before_a_tool_python_is_asked_only_where_somebody_may_hold_a_lease(
    hook: Hook, tmp_path: Path, shell: tuple[str, ...]
) -> None:
    asked = tmp_path / "asked"
    asked.write_text("#!/bin/sh\ncat >/dev/null\necho asked\n")
    asked.chmod(0o755)
    edit, start = ("codex", "PreToolUse"), ("codex", "SessionStart")
    hook.equip(asked, (edit, start), (edit,))
    without_drain(hook)
    hook.layout.told.mkdir()
    main = hook.layout.git_dir / MAIN
    for noted, stands, answer in (("", "", b"asked\n"), ("a", "b", b"asked\n"), ("a", "", b"asked\n"), ("a", "a", b"")):
        hook.layout.no_leases.write_text(f"{noted}\n")
        main.write_text(f"{stands}\n")
        assert hook.run(event="PreToolUse", shell=shell).stdout == answer
    assert hook.run(event="SessionStart", shell=shell).stdout == b"asked\n"
    assert hook.kept() == [b'{"a": 1}']


def test_an_answer_that_runs_out_of_time_has_counted_itself(hook: Hook, tmp_path: Path) -> None:
    late = tmp_path / "late"
    late.write_text("#!/bin/sh\ncat >/dev/null\nkill -ALRM $$\n")
    late.chmod(0o755)
    hook.equip(late, (("codex", "SessionStart"),))
    without_drain(hook)
    assert was_silent(hook.run(event="SessionStart"))
    assert spool.fired(hook.layout) == {}
