"""Forgetting takes content out of every object, and leaves a mark, the rest of the history, and the law."""

from __future__ import annotations

import subprocess
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.actions.checkpoint import checkpoint
from ledger.actions.epoch import dated, epoch_of
from ledger.actions.forget import Forgotten, forget, plan_forgetting, wanted
from ledger.actions.replay import replay
from ledger.actions.tip import Author, event_of
from ledger.actions.truncate import truncate
from ledger.actions.verify import verify
from ledger.actions.working_tree import load
from ledger.api import Ledger, create_ledger, open_ledger
from ledger.core.event import Event
from ledger.core.forgetting import MARK
from ledger.errors import InvalidError, NotFoundError, UsageError
from ledger.storage.files import files_below
from ledger.storage.layout import CHECKPOINTS, MAIN

SECRET = "correct-horse-battery-staple"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A ledger with a secret in the middle: in a value, a note, a decision, an attachment, and on two lines."""
    ledger, _ = create_ledger(tmp_path / "ledger")
    with ledger:
        me = ledger.session("agent", "one")
        me.start()
        me.set("auth/login", "none yet")
        me.set("auth/login", {"user": "root", "phrase": SECRET})
        me.note(f"say {SECRET} at the door")
        me.decide("auth/decision", "log in", because=f"with {SECRET}")
        me.increment("tries", 2)
        me.set("auth/login", {"user": "root", "phrase": "changed"})
        me.set("draft", SECRET, scope="session")
        payloads = ledger.place.payloads
        assert payloads is not None
        payloads.put(me.id, f'{{"said":"{SECRET}"}}\n'.encode(), "transcript")
    return tmp_path / "ledger"


def forgotten(ledger: Ledger, *targets: str, texts: tuple[str, ...] = (), patterns: tuple[str, ...] = ()) -> Forgotten:
    what = wanted(ledger.place, "it leaked", targets, texts, patterns)
    return forget(ledger.place, Author.person(ledger.place), what)


def captured(ledger: Ledger, project: Path) -> str:
    """The tree of the working tree of a project, as a new checkpoint keeps it."""
    made = checkpoint(ledger.place, Author.person(ledger.place), "by hand", worktree=project)
    return str(made.worktree)


def objects(git_dir: Path) -> Iterator[bytes]:
    """Every object that is on the disk, reached or not."""
    said = subprocess.run(
        ["git", f"--git-dir={git_dir}", "cat-file", "--batch-all-objects", "--batch"], capture_output=True, check=True
    )
    yield said.stdout


def holding(root: Path, text: str) -> list[str]:
    """What in a ledger's folder holds a text, in the clear or deflated."""
    wanted = text.encode()
    found = [str(git_dir) for git_dir in root.glob("*.git") if any(wanted in data for data in objects(git_dir))]
    for path in files_below(root):
        data = path.read_bytes()
        if data[:1] == b"\x78":
            data += zlib.decompressobj().decompress(data)
        if wanted in data:
            found.append(str(path))
    return found


def logged(ledger: Ledger) -> list[Event]:
    store = ledger.place.store
    return [event_of(store.commit(one.oid)) for one in dated(store, [store.ref(MAIN) or ""])]


def proved(folder: Path) -> None:
    with open_ledger(folder) as ledger:
        report = verify(ledger.place, full=True)
        assert report.ok, report.problems
        assert replay(ledger.place).ok
        ledger.session("agent", "after").increment("tries", 1)


def test_a_text_is_gone_from_every_object_and_a_mark_stands_in_its_place(folder: Path) -> None:
    assert holding(folder, SECRET)
    with open_ledger(folder) as ledger:
        before = [event.id for event in logged(ledger)]
        done = forgotten(ledger, texts=(SECRET,))
        assert [event.id for event in logged(ledger)][1:] == before[1:]
        assert ledger.get("auth/decision").entry.cell.value["because"] == f"with {MARK}"
        assert ledger.get("tries").entry.cell.value == 2
        assert ledger.get("auth/login").entry.cell.value["phrase"] == "changed"
        assert done.epoch == 2
        assert done.planned.by_type == {"context.set": 2, "decision.recorded": 1, "note.added": 1}
        one = ledger.session("agent", "one")
        assert one.get("draft").entry.cell.value == MARK
    assert holding(folder, SECRET) == []
    proved(folder)


def test_nobody_is_told_of_a_conflict_that_there_was_not(folder: Path) -> None:
    with open_ledger(folder) as ledger:
        forgotten(ledger, texts=(SECRET,))
        assert list(ledger.conflicts()) == []


def test_an_event_is_forgotten_and_says_so(folder: Path) -> None:
    with open_ledger(folder) as ledger:
        note = next(event for event in logged(ledger) if event.type == "note.added")
        forgotten(ledger, note.id)
        left = next(event for event in logged(ledger) if event.id == note.id)
        assert (left.type, left.data["type"], left.data["because"]) == ("redaction.applied", "note.added", "it leaked")
        assert (left.session, left.time) == (note.session, note.time)
    proved(folder)


def test_a_write_is_emptied_and_those_after_it_stand(folder: Path) -> None:
    with open_ledger(folder) as ledger:
        write = [e for e in logged(ledger) if e.type == "context.set" and e.data["key"] == "auth/login"][1]
        forgotten(ledger, write.id)
        left = next(event for event in logged(ledger) if event.id == write.id)
        assert (left.type, left.data["value"], left.prev) == ("context.set", MARK, write.prev)
        assert ledger.get("auth/login").entry.cell.value["phrase"] == "changed"
        assert list(ledger.conflicts()) == []
    proved(folder)


def test_a_key_is_gone_with_all_that_was_ever_written_to_it(folder: Path) -> None:
    with open_ledger(folder) as ledger:
        forgotten(ledger, "auth/login")
        assert [found.key for found in ledger.keys("auth")] == ["auth/decision"]
        assert not [event for event in logged(ledger) if event.data.get("key") == "auth/login"]
        assert len([event for event in logged(ledger) if event.type == "redaction.applied"]) == 3
    proved(folder)


def test_what_was_cut_is_forgotten_in_the_state_and_in_the_bundle_that_kept_it(folder: Path) -> None:
    with open_ledger(folder) as ledger:
        done = truncate(ledger.place, Author.person(ledger.place), "main")
        assert done.bundle is not None
        forgotten(ledger, texts=(SECRET,))
        assert ledger.get("auth/decision").entry.cell.value["because"] == f"with {MARK}"
        assert not done.bundle.exists()
        assert epoch_of(ledger.place.store, ledger.place.store.ref(MAIN) or "") == 3
    assert holding(folder, SECRET) == []
    proved(folder)


def test_a_captured_working_tree_that_holds_it_is_let_go(folder: Path, tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path / "project")], check=True)
    (tmp_path / "project" / "notes.txt").write_text(f"say {SECRET}\n")
    with open_ledger(folder) as ledger:
        checkpoint(ledger.place, Author.person(ledger.place), "by hand", worktree=tmp_path / "project")
        forgotten(ledger, texts=(SECRET,))
        assert not ledger.place.payloads or not ledger.place.payloads.store.refs(CHECKPOINTS)
    assert holding(folder, SECRET) == []
    proved(folder)


def test_only_the_captures_that_hold_it_are_let_go(folder: Path, tmp_path: Path) -> None:
    project = tmp_path / "project"
    subprocess.run(["git", "init", "-q", str(project)], check=True)
    (project / "deep" / "er").mkdir(parents=True)
    trees = []
    with open_ledger(folder) as ledger:
        for name, text in (("a", "fine"), ("deep/er/b", f"say {SECRET}"), ("deep/er/b", "fine again")):
            (project / name).write_text(text)
            trees.append(captured(ledger, project))
        (project / "deep" / "er" / f"{SECRET}.txt").write_text("named after it")
        trees.append(captured(ledger, project))
        planned = plan_forgetting(ledger.place, wanted(ledger.place, "leaked", texts=(SECRET,)))
        assert len(planned.captures) == 2
        forgotten(ledger, texts=(SECRET,))
        payloads = ledger.place.payloads
        assert payloads is not None
        assert [payloads.store.has(tree) for tree in trees] == [True, False, True, False]
        saved = load(ledger.place, trees[2])
        assert {"a", "deep/er/b"} <= {path.decode() for path in saved.entries}
    subprocess.run(["git", f"--git-dir={folder / 'payloads.git'}", "fsck", "--strict"], check=True)
    assert holding(folder, SECRET) == []
    proved(folder)


def test_what_was_refused_and_what_lies_in_quarantine_is_gone_too(folder: Path) -> None:
    with open_ledger(folder) as ledger:
        layout = ledger.layout
        (layout.spool / "rejected" / "codex~PostToolUse~1~x").write_text(SECRET)
        (layout.quarantine / "object").write_bytes(zlib.compress(f"blob 28\0{SECRET}".encode()))
        (layout.logs / "drain.log").write_text(f"one line\nanother with {SECRET}\n")
        forgotten(ledger, texts=(SECRET,))
        assert (layout.logs / "drain.log").read_text() == "one line\n"
    assert holding(folder, SECRET) == []


def test_a_pattern_is_forgotten_wherever_it_fits(folder: Path) -> None:
    with open_ledger(folder) as ledger:
        forgotten(ledger, patterns=("correct-[a-z-]+",))
    assert holding(folder, SECRET) == []
    proved(folder)


def test_a_text_in_a_key_gives_the_key_another_name(tmp_path: Path) -> None:
    ledger, _ = create_ledger(tmp_path / "ledger")
    with ledger:
        ledger.person().set("customers/acme-corp/plan", "gold")
        ledger.person().set("customers/acme-corp/plan", "silver")
        forgotten(ledger, texts=("acme-corp",))
        assert ledger.get("customers/forgotten/plan").entry.cell.value == "silver"
        assert list(ledger.conflicts()) == []
    assert holding(tmp_path / "ledger", "acme-corp") == []
    proved(tmp_path / "ledger")


def test_what_nobody_wrote_cannot_be_forgotten(folder: Path) -> None:
    with open_ledger(folder) as ledger:
        with pytest.raises(NotFoundError, match="nothing in this ledger"):
            plan_forgetting(ledger.place, wanted(ledger.place, "why", texts=("never said",)))
        with pytest.raises(UsageError, match="nothing is named"):
            wanted(ledger.place, "why")


def test_all_that_is_wrong_with_what_is_named_is_told_at_once(folder: Path) -> None:
    with open_ledger(folder) as ledger, pytest.raises(InvalidError) as told:
        wanted(ledger.place, "", (), ("ab",), ("(", ".*"))
    assert [problem.path for problem in told.value.problems] == ["because", "text.0", "pattern.0", "pattern.1"]


def test_the_reason_must_not_say_it(folder: Path) -> None:
    with open_ledger(folder) as ledger, pytest.raises(InvalidError, match="holds what is to be forgotten"):
        wanted(ledger.place, f"{SECRET} leaked", (), (SECRET,))
