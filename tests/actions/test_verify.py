"""Verify finds what was tampered with, names the commit, the path and the kind, and never hangs."""

from __future__ import annotations

import re
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.actions.git import Git

from ledger.actions.append import Draft
from ledger.actions.examine import UNCHECKED, Problem
from ledger.actions.tip import Author, raw_commit
from ledger.actions.verify import Report, verify
from ledger.api import Ledger, open_ledger
from ledger.core.event import Event
from ledger.storage.layout import MAIN, Layout

NOTE = Draft("note.added", {"text": "seen"})
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def git(root: Path) -> Git:
    """A ledger's repository with two sessions, a merge, and writes after it; and the program to tamper with it."""
    with open_ledger(root) as ledger:
        one, two = ledger.session("agent", "1"), ledger.session("agent", "2")
        one.set("auth/decision", "device flow")
        two.set("auth/other", 1)
        one.record([NOTE])
        two.increment("count", 2)
        one.increment("count", 3)
        two.note("after the merge")
        two.set("auth/decision", "password")
        one.note("the end")
    return Git(root / "ledger.git")


def checked(git: Git, *, full: bool = True) -> Report:
    with open_ledger(git.git_dir.parent) as ledger:
        return verify(ledger.place, full=full)


def kinds(report: Report) -> list[tuple[str, str | None, str | None]]:
    return [(problem.kind, problem.commit, problem.path) for problem in report.problems]


def with_subject(git: Git, start: str) -> str:
    """The commit of main whose subject starts so."""
    return next(oid for oid in git.main() if git.raw(oid).split(b"\n\n", 1)[1].decode().startswith(start))


def after(git: Git, oid: str) -> list[str]:
    """The commits of main that come after one."""
    commits = git.main()
    return commits[commits.index(oid) + 1 :]


def tampered(git: Git, oid: str, old: bytes, new: bytes) -> str:
    """A commit in which one thing is replaced, with all that follows on top of it; main points there. Its id."""
    raw = git.raw(oid)
    assert raw.count(old) >= 1
    changed = git.object("commit", raw.replace(old, new, 1))
    git.move(git.rebuild({oid: changed}, after(git, oid)))
    return changed


def test_a_sound_ledger_has_no_problems_and_is_checked_whole_once(ledger: Ledger) -> None:
    one, two = ledger.session("agent", "1"), ledger.session("agent", "2")
    one.set("a", 1)
    one.record([NOTE])
    two.set("b", 2)
    one.set("a", 2)
    report = verify(ledger.place, full=True)
    assert report.ok
    assert report.problems == ()
    assert report.commits == report.events == report.checked == 8


def test_a_second_run_checks_only_what_is_new_and_a_full_one_everything(git: Git) -> None:
    total = checked(git, full=False).checked
    assert checked(git, full=False).checked == 0
    with open_ledger(git.git_dir.parent) as ledger:
        ledger.session("agent", "1").note("one more")
        report = verify(ledger.place)
    assert (report.ok, report.checked, report.commits) == (True, 1, total + 1)
    assert checked(git).checked == total + 1


def test_a_changed_value_is_named_with_its_path_and_only_there(git: Git) -> None:
    victim = with_subject(git, "context.increment")
    tree = git.raw(victim)[5:45].decode()
    forged = git.tree_with(tree, "context/auth/decision.yaml", b"value: forged\n")
    changed = tampered(git, victim, tree.encode(), forged.encode())
    found = kinds(checked(git))
    assert ("tree", changed, "context/auth/decision.yaml") in found
    assert [kind for kind, commit, _ in found if commit == changed] == ["tree"]


def test_a_file_that_no_event_wrote_is_found(git: Git) -> None:
    victim = git.main()[-1]
    tree = git.raw(victim)[5:45].decode()
    changed = tampered(git, victim, tree.encode(), git.tree_with(tree, "context/evil.yaml", b"x: 1\n").encode())
    assert ("unknown-file", changed, "context/evil.yaml") in kinds(checked(git))


def test_a_file_that_is_missing_from_a_tree_is_found(git: Git) -> None:
    victim = git.main()[-1]
    tree = git.raw(victim)[5:45].decode()
    changed = tampered(git, victim, tree.encode(), git.tree_with(tree, "context/count.yaml", None).encode())
    assert ("tree", changed, "context/count.yaml") in kinds(checked(git))


@pytest.mark.parametrize(
    ("old", "new", "kind"),
    [
        (b"context.set auth/decision: password", b"context.set auth/decision: passw0rd", "subject"),
        (b"value: password", b"value: 'password'", "message"),
        (b"value: password", b"value: passw0rd", "tree"),
        (b"value: password", b"value: password\n  extra: 1", "message"),
        (b"policy: lww", b"policy: wow", "schema"),
        (b"v: 1\n", b"v: 0\n", "schema"),
        (b"committer ledger", b"committer somebody", "form"),
        (b" +0000\ncommitter", b" +0100\ncommitter", "form"),
        (b"author agent", b"encoding x\nauthor agent", "form"),
    ],
)
def test_a_rewritten_message_or_header_is_found(git: Git, old: bytes, new: bytes, kind: str) -> None:
    victim = with_subject(git, "context.set auth/decision: password")
    changed = tampered(git, victim, old, new)
    assert kind in [found for found, commit, _ in kinds(checked(git)) if commit == changed]


def test_an_author_who_is_not_the_events_session_is_found(git: Git) -> None:
    victim = with_subject(git, "note.added: after")
    author = re.search(rb"author agent <([0-9a-f-]{36})>", git.raw(victim))
    assert author is not None
    changed = tampered(git, victim, author[1], b"0" * 8 + author[1][8:])
    assert ("form", changed, None) in kinds(checked(git))


def test_a_merge_with_a_wrong_tree_is_found(git: Git) -> None:
    merge = with_subject(git, "sync.merged")
    raw = git.raw(merge)
    ours = re.findall(rb"parent ([0-9a-f]{40})", raw)[0].decode()
    tree = git.tree_with(git("rev-parse", f"{ours}^{{tree}}"), "context/count.yaml", None)
    changed = tampered(git, merge, raw[5:45], tree.encode())
    assert ("tree", changed, "context/count.yaml") in kinds(checked(git))


def test_a_merge_that_lost_one_side_is_found(git: Git) -> None:
    merge = with_subject(git, "sync.merged")
    theirs = re.findall(rb"parent [0-9a-f]{40}\n", git.raw(merge))[1]
    changed = tampered(git, merge, theirs, b"")
    assert ("parents", changed, None) in kinds(checked(git))


def test_a_skipped_parent_is_found(git: Git) -> None:
    """A commit that is put on its grandparent lacks what the parent changed."""
    line = git.main()
    victim = with_subject(git, "note.added: the end")
    grandparent = line[-3]
    parent = git("rev-parse", f"{victim}^")
    changed = tampered(git, victim, parent.encode(), grandparent.encode())
    found = kinds(checked(git))
    assert ("tree", changed, "context/auth/decision.yaml") in found
    assert ("history-rewritten", line[-1], MAIN) in found


def test_an_event_dropped_with_all_that_follows_rebuilt_lawfully_shows_against_the_remembered_head(git: Git) -> None:
    victim = with_subject(git, "note.added: after")
    head = git.main()[-1]
    git.move(git.rebuild({victim: git("rev-parse", f"{victim}^")}, after(git, victim)))
    report = checked(git)
    assert kinds(report) == [("history-rewritten", head, MAIN)]
    assert report.witnesses == ("heads",)


def test_a_ref_that_was_moved_back_is_put_where_it_was_as_after_a_power_cut(git: Git) -> None:
    head = git.main()[-1]
    git.move(git.main()[-2])
    assert kinds(checked(git)) == []
    assert git.main()[-1] == head


def test_a_ref_that_was_moved_back_is_found_where_no_journal_tells_of_it(git: Git, root: Path) -> None:
    head = git.main()[-1]
    for path in Layout(root).journal.iterdir():
        path.write_bytes(b"")
    git.move(git.main()[-2])
    assert kinds(checked(git)) == [("history-rewritten", head, MAIN)]


def test_what_was_written_over_main_is_not_woven_into_it_by_reading(git: Git, root: Path) -> None:
    victim = with_subject(git, "note.added: the end")
    changed = git.object("commit", git.raw(victim).replace(b"the end", b"an end"))
    git.move(changed)
    with open_ledger(root) as ledger:
        list(ledger.keys())
    assert git.main()[-1] == changed


def test_reordered_events_are_found(git: Git) -> None:
    first, second = with_subject(git, "note.added: after"), with_subject(git, "context.set auth/decision: password")
    base = git("rev-parse", f"{first}^")
    tree_of = git("rev-parse", f"{second}^{{tree}}")
    moved = git.object("commit", git.raw(second).replace(first.encode(), base.encode(), 1))
    late = git.raw(first).replace(base.encode(), moved.encode(), 1)
    late = late.replace(late[5:45], tree_of.encode(), 1)
    changed = git.object("commit", late)
    git.move(git.rebuild({second: changed}, after(git, second)))
    assert ("id-order", changed, None) in kinds(checked(git))


def test_one_id_with_two_bodies_is_found(git: Git, root: Path) -> None:
    with open_ledger(root) as ledger:
        place, store = ledger.place, ledger.place.store
        tip = store.commit(str(store.ref(MAIN)))
        base = store.commit(tip.parents[0])
        document = tip.message.partition(b"\n\n")[2].decode()
        fields = dict(
            line.split(": ", 1) for line in document.splitlines() if line.startswith(("id", "time", "session"))
        )
        twin = Event(
            fields["id"], "note.added", 1, fields["session"], fields["time"].strip("'"), {"text": "another body"}
        )
        raw = raw_commit(place, Author(twin.session, "agent"), twin, (base.oid,), base.tree)
        fork = store.write_commit(raw)
        store.move_ref("refs/heads/session/" + twin.session, fork, None)
        report = verify(place, full=True)
    assert [p.kind for p in report.problems] == ["id-reused"]


def test_the_same_event_in_two_commits_is_no_problem(git: Git, root: Path) -> None:
    with open_ledger(root) as ledger:
        store = ledger.place.store
        tip = str(store.ref(MAIN))
        again = store.commit_raw(tip).replace(b"author agent", b"author other", 1)
        store.move_ref("refs/heads/session/x", store.write_commit(again), None)
        assert verify(ledger.place, full=True).ok


def test_an_ordinary_git_commit_on_main_is_found(git: Git) -> None:
    tree = git("rev-parse", "refs/heads/main^{tree}")
    identity = ["-c", "user.name=x", "-c", "user.email=x@example.invalid"]
    foreign = git(*identity, "commit-tree", tree, "-p", git.main()[-1], "-m", "hello")
    git.move(foreign)
    assert [kind for kind, commit, _ in kinds(checked(git)) if commit == foreign] == ["form"]


def test_a_second_history_beside_the_first_is_found(git: Git) -> None:
    orphan = git.object("commit", re.sub(rb"parent [0-9a-f]{40}\n", b"", git.raw(git.main()[-1])))
    git.move(orphan, "refs/heads/session/x")
    assert ("root", orphan, None) in kinds(checked(git))


Damage = Callable[[Path], None]


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _halve(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _garbage(path: Path) -> None:
    path.write_bytes(b"\x00garbage" * 9)


@pytest.mark.parametrize("damage", [_empty, _halve, _garbage, Path.unlink], ids=["empty", "half", "garbage", "gone"])
@pytest.mark.parametrize("what", ["{}", "{}^{{tree}}", "{}:context/auth/decision.yaml"], ids=["commit", "tree", "blob"])
def test_a_damaged_object_is_named_and_nothing_hangs(git: Git, root: Path, damage: Damage, what: str) -> None:
    """Checked without the journal's help: opening would bring the object back."""
    victim = with_subject(git, "context.set auth/decision: password")
    oid = git("rev-parse", what.format(victim))
    for path in Layout(root).journal.glob("*.journal"):
        path.unlink()
    with open_ledger(root) as ledger:
        path = git.git_dir / "objects" / oid[:2] / oid[2:]
        path.chmod(0o600)
        damage(path)
        report = verify(ledger.place, full=True)
    assert not report.ok
    assert {problem.kind for problem in report.problems} <= {"damaged-object", "missing-object", "unverifiable"}
    assert victim in {problem.commit for problem in report.problems}


def test_a_damaged_ref_is_named_and_does_not_hide_the_others(git: Git, root: Path) -> None:
    with open_ledger(root) as ledger:
        ledger.session("agent", "1").record([NOTE])
        (git.git_dir / MAIN).write_bytes(b"")
        report = verify(ledger.place, full=True)
    assert ("bad-ref", None, MAIN) in kinds(report)
    assert report.commits > 0


def test_an_unknown_type_is_skipped_and_a_newer_format_is_named_as_such(git: Git) -> None:
    """What a newer program wrote is no damage; what this one cannot check it says."""
    victim = git.main()[-1]
    changed = tampered(git, victim, b"type: note.added", b"type: note.scribbled")
    assert changed not in {problem.commit for problem in checked(git).problems}


def test_a_ledger_of_a_newer_fold_is_reported_as_newer_and_not_as_damaged(ledger: Ledger) -> None:
    me = ledger.session("agent", "1")
    me.record([Draft("ledger.upgraded", {"fold": 99, "format": 99})])
    tip = ledger.place.store.refs()[f"refs/heads/session/{me.id}"]
    below = ledger.place.store.commit(tip)
    event = me.author
    raw = raw_commit(
        ledger.place,
        event,
        Event(
            "0" * 8 + "-0000-7000-8000-" + "0" * 12,
            "note.added",
            1,
            event.session,
            "2026-01-01T00:00:00.000000Z",
            {"text": "x"},
        ),
        (tip,),
        below.tree,
    )
    ledger.place.store.move_ref(f"refs/heads/session/{me.id}", ledger.place.store.write_commit(raw), tip)
    found = verify(ledger.place, full=True).problems
    assert {problem.kind for problem in found} == {"id-order", "newer-format"}


def test_every_kind_of_problem_is_documented() -> None:
    page = (ROOT / "docs" / "reference" / "problems.md").read_text(encoding="utf-8")
    sources = [ROOT / "src/ledger/actions" / f"{name}.py" for name in ("examine", "verify", "objects", "sweep")]
    used = {kind for path in sources for kind in re.findall(r'Problem\(\s*"([a-z-]+)"', path.read_text())}
    used |= {"missing-object", "damaged-object", UNCHECKED}
    assert set(re.findall(r"^\| `([a-z-]+)`", page, re.MULTILINE)) == used


def test_many_commits_are_shared_among_processes_and_give_the_same_report(root: Path) -> None:
    """The problems of a long history come in its order, each from the process that met it."""
    with open_ledger(root, durability="none") as ledger:
        me = ledger.session("agent", "1")
        me.start()
        me.record([NOTE] * 4_200)
        me.publish()
        told: list[tuple[int, int]] = []
        sound = verify(ledger.place, full=True, progress=lambda done, total: told.append((done, total)))
    git = Git(root / "ledger.git")
    line = git.main()
    assert (sound.problems, sound.commits, sound.events) == ((), len(line), len(line))
    assert told[-1] == (len(line), len(line))
    for back in (3, 30):
        tampered(git, git.main()[-back], b"text: seen", b"text: s33n")
    report = checked(git)
    assert [problem.kind for problem in report.problems if problem.kind != "history-rewritten"] == [
        "subject",
        "subject",
    ]
    assert report.checked == len(line)


def test_a_problem_is_a_plain_record() -> None:
    assert Problem("tree", "c" * 40, "a.yaml", "words")._asdict() == {
        "kind": "tree",
        "commit": "c" * 40,
        "path": "a.yaml",
        "detail": "words",
    }


def test_a_damaged_file_of_remembered_heads_is_named_and_an_empty_one_is_started_anew(git: Git, root: Path) -> None:
    path = Layout(root).heads
    kept = path.read_bytes()
    path.write_bytes(kept.replace(kept[20:21], b"z", 1))
    assert "heads-damaged" in [kind for kind, _, _ in kinds(checked(git))]
    path.write_bytes(b"")
    assert (checked(git).ok, checked(git).witnesses) == (True, ("heads",))


def test_a_ledger_that_cannot_be_written_is_verified_all_the_same(git: Git, root: Path) -> None:
    if subprocess.run(["mount", "--bind", str(root), str(root)], capture_output=True, check=False).returncode:
        pytest.skip("a folder can be made read-only by root only")
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", str(root)], check=True)
        assert checked(git).ok
    finally:
        subprocess.run(["umount", "-l", str(root)], check=True)


def test_a_history_that_somebody_writes_to_meanwhile_is_not_called_rewritten(root: Path) -> None:
    done = threading.Event()

    def write() -> None:
        with open_ledger(root, durability="none") as ledger:
            me = ledger.session("a", "writer")
            while not done.is_set():
                me.increment("count")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        with open_ledger(root) as ledger:
            found = [problem.kind for _ in range(30) for problem in verify(ledger.place).problems]
    finally:
        done.set()
        writer.join()
    assert found == []
