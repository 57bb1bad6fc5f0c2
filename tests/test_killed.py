"""Killed, or refused by the disk, at any call that changes something: what was acknowledged is there, and work goes on.

Each operation runs as a process under strace, once for each of its calls. After that the ledger is opened again as
anybody would: nothing acknowledged is missing or doubled, the law holds, and the same operation ends well. Nobody
removes a lock by hand.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import NamedTuple

import pytest
from tests.actions.git import Git
from tests.actions.test_forget import holding
from tests.machines import http_server
from tests.strace import MARK, SYNCS, WRITES, points, tracing

from ledger.actions.append import Draft
from ledger.actions.bring import bring
from ledger.actions.find import tips
from ledger.actions.forget import forget, wanted
from ledger.actions.recover import recover
from ledger.actions.sync import sync
from ledger.actions.tip import Author, event_id
from ledger.actions.truncate import truncate
from ledger.actions.verify import verify
from ledger.api import Ledger, create_ledger, open_ledger
from ledger.storage.layout import MAIN
from ledger.storage.maintenance import gc
from ledger.storage.remotes import Remote, add_remote, list_remotes
from ledger.storage.server import prepare

CALLS = (*WRITES, *SYNCS)
OTHER = "refs/remotes/other/main"
LATER = "refs/remotes/later/main"
SECRET = "swordfish-nine"

PROGRAM = f"""
import os, sys
from pathlib import Path
from tests.test_killed import OPERATIONS
from ledger.actions import append, bring, join, session, forget, recover, sync, truncate
from ledger.core.redaction import default_redactor
default_redactor()
{MARK}
try:
    OPERATIONS[sys.argv[2]](Path(sys.argv[1]))
except Exception as error:
    from ledger.errors import LedgerError
    if isinstance(error, LedgerError):
        os._exit(3)
    import traceback
    traceback.print_exc()
    os._exit(4)
os._exit(0)
"""


def tell(*ids: str) -> None:
    """Acknowledge: what is on standard output must never be lost."""
    try:
        sys.stdout.write("".join(f"{i}\n" for i in ids))
        sys.stdout.flush()
    except OSError:  # the fault hit this very write: nothing was acknowledged
        os._exit(3)


def run_init(root: Path) -> None:
    create_ledger(root)[0].close()


def run_append(root: Path) -> None:
    with open_ledger(root) as ledger:
        me = ledger.session("writer", "one")
        for done in (
            me.set("a/b", 1),
            me.record([Draft("note.added", {"text": "of its own"})] * 3),
            me.increment("count"),
        ):
            tell(*(event.id for event in done.events))


def run_bring(root: Path) -> None:
    with open_ledger(root) as ledger:
        bring(ledger.place, ledger.session("writer", "one").author, str(ledger.place.store.ref(OTHER)))
        tell(*ids(ledger))


def run_gc(root: Path) -> None:
    with open_ledger(root) as ledger:
        gc(ledger.layout)


def run_truncate(root: Path) -> None:
    with open_ledger(root) as ledger:
        first = sorted(ids(ledger))[1]
        truncate(ledger.place, ledger.session("writer", "one").author, first)


def run_forget(root: Path) -> None:
    with open_ledger(root) as ledger:
        me = ledger.session("writer", "one")
        tell(*(event.id for event in me.note(f"say {SECRET}").events))
        forget(ledger.place, me.author, wanted(ledger.place, "it leaked", texts=[SECRET]))


def run_adopt(root: Path) -> None:
    with open_ledger(root) as ledger:
        later = ledger.place.store.ref(LATER)
        if later is not None:  # else it was adopted by now
            bring(ledger.place, ledger.session("writer", "one").author, later)


def run_recover(root: Path) -> None:
    with open_ledger(root) as ledger:
        for done in recover(ledger.place):
            if done.status != "recovered":
                raise AssertionError(done)


def run_sync(root: Path) -> None:
    with open_ledger(root) as ledger:
        (remote,) = list_remotes(ledger.layout.git_dir)
        sync(ledger.place, remote)
        tell(*ids(ledger))


OPERATIONS = {
    "init": run_init,
    "append": run_append,
    "bring": run_bring,
    "gc": run_gc,
    "truncate": run_truncate,
    "forget": run_forget,
    "adopt": run_adopt,
    "recover": run_recover,
    "sync": run_sync,
}
SERVED: list[Path] = []  # the folder of the web server that runs
CUT = {"truncate": 2, "forget": 1, "adopt": 1}  # so many of the first events go: the root, and the one behind it


class Killed(NamedTuple):
    """What came of one run: the ids that it acknowledged, and how long the next one took to open the ledger."""

    acknowledged: list[str]
    opened: float


@pytest.fixture(scope="module", autouse=True)
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder that a web server serves: no fault of ours hits a process of another machine."""
    folder = tmp_path_factory.mktemp("served")
    with http_server(folder) as url:
        (folder / "url").write_text(url)
        SERVED.append(folder)
        yield folder
        SERVED.remove(folder)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger with events on main and on a session's line, and the history of a clone that went its own way."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    folder = tmp_path_factory.mktemp("template")
    with create_ledger(folder / "ledger")[0] as ledger:
        ledger.session("writer", "one").set("a/b", 0)
    shutil.copytree(folder / "ledger", folder / "clone")
    with open_ledger(folder / "clone") as clone:
        clone.session("writer", "elsewhere").set("a/b", 2)
        clone.session("writer", "elsewhere").increment("count")
    with open_ledger(folder / "ledger") as ledger:
        ledger.session("writer", "two").set("c", 1)
        ledger.session("writer", "two").record([Draft("note.added", {"text": "x"})])
        shutil.copytree(folder / "ledger", folder / "later")
        process = subprocess.Popen(["sleep", "600"])
        ledger.session("writer", "gone").start(pid=process.pid)
        process.kill()
        process.wait()
        Git(ledger.layout.git_dir)("fetch", "-q", str(folder / "clone" / "ledger.git"), f"+{MAIN}:{OTHER}")
    with open_ledger(folder / "later") as later:
        forget(later.place, Author.person(later.place), wanted(later.place, "a whim", ["c"]))
    return folder / "ledger"


def ids(ledger: Ledger) -> list[str]:
    return [str(event_id(commit)) for commit in ledger.place.store.walk(tips(ledger.place))]


def traced(root: Path, operation: str, *how: str) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, "-c", PROGRAM, str(root), operation]
    run = [*tracing(root.parent / "trace", CALLS), *how, *program]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    return subprocess.run(run, check=False, capture_output=True, text=True, timeout=120, env=environment)


def prepared(template: Path, folder: Path, operation: str) -> Path:
    folder.mkdir()
    if operation != "init":
        shutil.copytree(template, folder / "ledger")
    if operation == "sync":
        serve(template.parent / "clone" / "ledger.git", folder / "ledger" / "ledger.git")
    if operation == "adopt":
        Git(folder / "ledger" / "ledger.git")(
            "fetch", "-q", str(template.parent / "later" / "ledger.git"), f"+{MAIN}:{LATER}"
        )
    return folder / "ledger"


def serve(other: Path, git_dir: Path) -> None:
    """Make a new server that has the other clone's history, and name it to the ledger."""
    (folder,) = SERVED
    shutil.rmtree(folder / "ledger.git", ignore_errors=True)
    prepare(folder / "ledger.git")
    Git(other)("push", "-q", str(folder / "ledger.git"), f"{MAIN}:{MAIN}")
    add_remote(git_dir, Remote("origin", f"{(folder / 'url').read_text()}/ledger.git"))


def sweep(
    template: Path,
    tmp_path: Path,
    operation: str,
    how: str,
    calls: tuple[str, ...] = CALLS,
    *,
    lasting: bool = False,
    most: int = 0,
) -> Iterator[str]:
    """Run an operation once for each call, or `most` of them, with a fault at that call; gives how each run ended."""
    root = prepared(template, tmp_path / "counted", operation)
    before = frozenset(sorted(read_ids(root))[CUT.get(operation, 0) :])
    assert traced(root, operation).returncode == 0
    every = list(points(tmp_path / "counted" / "trace", calls))
    for point in every[:: len(every) // most if most else 1]:
        root = prepared(template, tmp_path / "faulty", operation)
        done = traced(root, operation, *point.fault(how, lasting=lasting))
        assert done.returncode != 4, f"{point}: {done.stderr}"
        require_whole(root, operation, before | set(done.stdout.split()), str(point))
        yield "killed" if done.returncode in (-signal.SIGKILL, 137) else "told" if done.returncode else "done"
        shutil.rmtree(root.parent)


def read_ids(root: Path) -> list[str]:
    if not root.exists():
        return []
    with open_ledger(root) as ledger:
        return ids(ledger)


def require_whole(root: Path, operation: str, acknowledged: set[str], where: str) -> None:
    """Open, count, verify, and do the same again."""
    began = time.monotonic()
    if operation == "init":
        run_init(root)
    with open_ledger(root) as ledger:
        took = time.monotonic() - began
        found = Counter(ids(ledger))
        assert acknowledged <= found.keys(), where
        assert max(found.values()) == 1, where
        assert verify(ledger.place, full=True).problems == (), where
    assert took < 5, where
    with redirect_stdout(StringIO()):
        OPERATIONS[operation](root)
    if operation == "forget":
        assert holding(root, SECRET) == [], where


every_operation = pytest.mark.parametrize("operation", sorted(OPERATIONS))


@every_operation
def test_an_operation_that_is_killed_loses_nothing_and_ends_well_the_next_time(
    template: Path, tmp_path: Path, operation: str
) -> None:
    ends = Counter(sweep(template, tmp_path, operation, "signal=KILL", most=2))
    assert ends["killed"] + ends["told"] > 0  # told: it was a git under it that was killed


@pytest.mark.slow
@pytest.mark.timeout(3600)
@every_operation
def test_that_holds_at_every_call(template: Path, tmp_path: Path, operation: str) -> None:
    ends = Counter(sweep(template, tmp_path, operation, "signal=KILL"))
    print(f"{operation}: {ends}")
    assert ends["killed"] > 10


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("lasting", [False, True], ids=["once", "from there on"])
@every_operation
def test_where_a_sync_fails_nothing_is_acknowledged_that_is_not_there(
    template: Path, tmp_path: Path, operation: str, lasting: bool
) -> None:
    ends = Counter(sweep(template, tmp_path, operation, "error=EIO", SYNCS, lasting=lasting))
    print(f"{operation}, {'lasting' if lasting else 'once'}: {ends}")


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("fault", ["ENOSPC", "EROFS"])
@every_operation
def test_where_the_disk_is_full_or_read_only_from_some_call_on_the_user_is_told(
    template: Path, tmp_path: Path, operation: str, fault: str
) -> None:
    ends = Counter(sweep(template, tmp_path, operation, f"error={fault}", WRITES, lasting=True))
    print(f"{operation}, {fault}: {ends}")
