"""What every EventStore promises. A store passes by subclassing `EventStoreContract`."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable

import pytest

from ledger.errors import InvalidError, NotFoundError, UsageError
from ledger.storage.codec import encode_commit
from ledger.storage.layout import MAIN, session_ref
from ledger.storage.store import Commit, EventStore, Oid, Signature

SOMEBODY = Signature("claude-code 7be1", "session@ledger", 1_795_361_727)
MISSING = "dead" * 10

Settle = Callable[[], None]


def commit(
    store: EventStore,
    message: str,
    parents: Iterable[Oid] = (),
    tree: Oid | None = None,
    time: int = SOMEBODY.time,
) -> Oid:
    """Write a commit; its tree is empty unless one is given."""
    who = SOMEBODY._replace(time=time)
    top = store.edit_tree(None, {}) if tree is None else tree
    return store.write_commit(encode_commit(top, parents, who, who, message.encode()))


class EventStoreContract:
    """The promises; the fixture `store` gives an empty store, `settle` may repack it meanwhile."""

    @pytest.fixture
    def store(self) -> EventStore:
        raise NotImplementedError

    @pytest.fixture
    def settle(self, store: EventStore) -> Settle:
        """Called where a store may move its objects and refs into packs: nothing may look different."""
        return lambda: None

    # Refs

    def test_an_empty_store_has_no_refs(self, store: EventStore) -> None:
        assert store.refs() == {}
        assert store.ref(MAIN) is None

    def test_a_ref_moves_only_from_where_the_caller_saw_it(self, store: EventStore, settle: Settle) -> None:
        first = commit(store, "first")
        second = commit(store, "second", [first])
        assert store.move_ref(MAIN, first, None)
        settle()
        assert not store.move_ref(MAIN, second, None)
        assert not store.move_ref(MAIN, first, second)
        assert store.ref(MAIN) == first
        assert store.move_ref(MAIN, second, first)
        assert not store.move_ref(MAIN, second, first)
        assert store.ref(MAIN) == second

    def test_a_ref_that_is_loose_and_packed_moves_from_its_newer_value(self, store: EventStore, settle: Settle) -> None:
        oids = [commit(store, f"{n}") for n in range(3)]
        store.move_ref(MAIN, oids[0], None)
        settle()
        assert store.move_ref(MAIN, oids[1], oids[0])
        assert not store.move_ref(MAIN, oids[2], oids[0])
        assert store.move_ref(MAIN, oids[2], oids[1])

    def test_a_ref_is_deleted_only_from_where_the_caller_saw_it(self, store: EventStore, settle: Settle) -> None:
        first, second = commit(store, "first"), commit(store, "second")
        store.move_ref(session_ref("a"), first, None)
        settle()
        assert not store.move_ref(session_ref("a"), None, second)
        assert store.move_ref(session_ref("a"), None, first)
        assert store.ref(session_ref("a")) is None
        assert not store.move_ref(session_ref("a"), None, first)
        assert not store.move_ref(session_ref("a"), second, first)
        assert store.refs() == {}

    def test_an_absent_ref_may_be_asked_to_stay_absent(self, store: EventStore) -> None:
        assert store.move_ref(MAIN, None, None)
        store.move_ref(MAIN, commit(store, "x"), None)
        assert not store.move_ref(MAIN, None, None)

    def test_a_ref_can_be_made_again_after_its_deletion(self, store: EventStore, settle: Settle) -> None:
        first = commit(store, "first")
        store.move_ref(MAIN, first, None)
        settle()
        store.move_ref(MAIN, None, first)
        assert store.move_ref(MAIN, first, None)
        assert store.ref(MAIN) == first

    def test_refs_are_listed_by_prefix_and_sorted(self, store: EventStore, settle: Settle) -> None:
        oid = commit(store, "x")
        for name in (session_ref("b"), MAIN, session_ref("a"), "refs/remotes/origin/main"):
            assert store.move_ref(name, oid, None)
        settle()
        assert list(store.refs()) == [MAIN, session_ref("a"), session_ref("b")]
        assert list(store.refs("refs/heads/session/")) == [session_ref("a"), session_ref("b")]
        assert store.refs("refs/remotes/") == {"refs/remotes/origin/main": oid}

    def test_no_ref_points_to_an_object_that_is_not_there(self, store: EventStore) -> None:
        with pytest.raises(NotFoundError):
            store.move_ref(MAIN, MISSING, None)
        first = commit(store, "first")
        store.move_ref(MAIN, first, None)
        with pytest.raises(NotFoundError):
            store.move_ref(MAIN, MISSING, first)
        assert store.ref(MAIN) == first

    @pytest.mark.parametrize(
        "name",
        [
            "main",
            "refs/heads/a..b",
            "refs/heads/.a",
            "refs/heads/a.lock",
            "refs/heads/a b",
            "refs/heads/a/",
            "",
        ],
    )
    def test_a_name_that_git_refuses_is_refused(self, store: EventStore, name: str) -> None:
        with pytest.raises(InvalidError):
            store.move_ref(name, commit(store, "x"), None)

    # Commits

    def test_a_commit_reads_back_as_it_was_written(self, store: EventStore, settle: Settle) -> None:
        root = commit(store, "root")
        message = "context.set a/b: \u00e9\u4e16\n\nid: 1\n".encode()
        tree = store.edit_tree(None, {"a": b"1"})
        author, committer = Signature("A \u00e9", "a@b", 1), Signature("ledger", "", 2)
        raw = encode_commit(tree, [root, root[::-1]], author, committer, message)
        oid = store.write_commit(raw)
        settle()
        assert store.commit_raw(oid) == raw
        assert store.commit(oid) == Commit(oid, (root, root[::-1]), tree, author, committer, message)

    def test_the_same_commit_gets_the_same_id(self, store: EventStore) -> None:
        assert commit(store, "x") == commit(store, "x") == "aa18296e1ebc2c88ea6270adb6221e284007f9a2"

    def test_what_is_no_commit_is_not_found(self, store: EventStore) -> None:
        tree = store.edit_tree(None, {"a": b"1"})
        for oid in (MISSING, tree):
            with pytest.raises(NotFoundError):
                store.commit(oid)
            with pytest.raises(NotFoundError):
                store.commit_raw(oid)

    def test_commits_are_found_by_the_start_of_their_id(self, store: EventStore, settle: Settle) -> None:
        oids = sorted(commit(store, f"{n}") for n in range(40))
        settle()
        for oid in oids:
            assert oid in store.find(oid[:4])
            assert store.find(oid) == [oid]
        tree = store.edit_tree(None, {"a": b"1"})
        assert store.find(tree[:12]) == []
        assert store.find(MISSING) == []

    @pytest.mark.parametrize("prefix", ["abc", "xyz1", "ABCD", "a" * 41])
    def test_what_cannot_start_an_id_is_a_wrong_call(self, store: EventStore, prefix: str) -> None:
        with pytest.raises(UsageError):
            store.find(prefix)

    # Trees

    def test_files_read_back_sorted_by_path(self, store: EventStore, settle: Settle) -> None:
        files = {"a.yaml": b"1", "a/b.yaml": b"2", "a-b/c.yaml": b"3", "a0": b"4", "a/b/c.yaml": b""}
        tree = store.edit_tree(None, files)
        settle()
        assert dict(store.files(tree)) == files
        assert [path for path, _ in store.files(tree)] == sorted(files) == store.paths(tree)
        assert store.paths(tree, "a/") == ["a/b.yaml", "a/b/c.yaml"]
        assert list(store.files(tree, "a/b/")) == [("a/b/c.yaml", b"")]
        assert store.paths(tree, "nothing/") == []

    def test_a_file_is_read_by_its_path(self, store: EventStore, settle: Settle) -> None:
        tree = store.edit_tree(None, {"a/b/c.yaml": b"deep", "top": b"\0\xff"})
        settle()
        assert store.read_file(tree, "a/b/c.yaml") == b"deep"
        assert store.read_file(tree, "top") == b"\0\xff"
        for absent in ("a/b", "a/b/", "a/b/c", "top/x", "nope", "a/b/c.yaml/x"):
            assert store.read_file(tree, absent) is None

    def test_one_folder_lists_its_own_names(self, store: EventStore) -> None:
        tree = store.edit_tree(None, {"a/b.yaml": b"", "a/c/d": b"", "a.yaml": b""})
        assert [(e.name, e.is_folder) for e in store.tree_entries(tree)] == [("a.yaml", False), ("a", True)]
        assert [e.name for e in store.tree_entries(tree, "a/")] == ["b.yaml", "c"]
        assert store.tree_entries(tree, "a/b.yaml/") == []

    def test_reading_a_tree_that_is_not_there_is_an_error(self, store: EventStore) -> None:
        with pytest.raises(NotFoundError):
            store.read_file(MISSING, "a")
        with pytest.raises(NotFoundError):
            store.paths(MISSING)

    def test_an_edit_leaves_everything_else_alone(self, store: EventStore, settle: Settle) -> None:
        before = store.edit_tree(None, {"a/b": b"1", "a/c": b"2", "d": b"3"})
        settle()
        after = store.edit_tree(before, {"a/c": b"new", "e/f": b"4"})
        assert dict(store.files(after)) == {"a/b": b"1", "a/c": b"new", "d": b"3", "e/f": b"4"}
        assert dict(store.files(before)) == {"a/b": b"1", "a/c": b"2", "d": b"3"}

    def test_folders_left_empty_vanish(self, store: EventStore) -> None:
        one = store.edit_tree(None, {"keep": b""})
        two = store.edit_tree(one, {"a/b/c": b"1"})
        assert store.edit_tree(two, {"a/b/c": None}) == one
        assert store.edit_tree(two, {"a/": None}) == one
        assert store.edit_tree(one, {"keep": None}) == store.edit_tree(None, {})

    def test_removing_what_is_not_there_changes_nothing(self, store: EventStore) -> None:
        tree = store.edit_tree(None, {"a/b": b"1"})
        gone: dict[str, bytes | None] = {
            "x": None,
            "a/x": None,
            "a/b/": None,
            "y/": None,
            "a": None,
            "a/b/c": None,
        }
        assert store.edit_tree(tree, gone) == tree

    def test_a_removed_folder_can_be_filled_in_the_same_edit(self, store: EventStore) -> None:
        tree = store.edit_tree(None, {"s/a": b"1", "s/b": b"2"})
        for changes in ({"s/": None, "s/c": b"3"}, {"s/c": b"3", "s/": None}):
            assert dict(store.files(store.edit_tree(tree, changes))) == {"s/c": b"3"}
        assert dict(store.files(store.edit_tree(tree, {"s/": None, "s": b"4"}))) == {"s": b"4"}

    def test_entries_are_taken_from_another_tree_absence_included(self, store: EventStore) -> None:
        ours = store.edit_tree(None, {"a": b"1", "b": b"1", "s/x": b"1", "s/y": b"1", "t/z": b"1", "k": b"1"})
        theirs = store.edit_tree(None, {"a": b"2", "s/x": b"2", "u/v/w": b"2", "k": b"2"})
        taken = store.edit_tree(ours, {"k": b"3"}, take=(theirs, ["a", "b", "s/", "t/", "u/v/", "k", "none/"]))
        assert dict(store.files(taken)) == {"a": b"2", "s/x": b"2", "u/v/w": b"2", "k": b"3"}

    def test_taking_everything_gives_the_other_tree(self, store: EventStore) -> None:
        ours = store.edit_tree(None, {"a/b/c": b"1", "d": b"2"})
        theirs = store.edit_tree(None, {"a/b/e": b"3", "f/g": b"4"})
        assert store.edit_tree(ours, {}, take=(theirs, ["a/", "d", "f/g"])) == theirs

    @pytest.mark.parametrize(
        "changes",
        [{"a/b/c": b"x"}, {"a": b"x"}, {"n": b"x", "n/m": b"y"}],
        ids=["below a file", "over a folder", "both at once"],
    )
    def test_a_file_and_a_folder_cannot_share_a_name(self, store: EventStore, changes: dict[str, bytes | None]) -> None:
        tree = store.edit_tree(None, {"a/b": b"1"})
        with pytest.raises(InvalidError):
            store.edit_tree(tree, changes)

    @pytest.mark.parametrize("path", ["", "/a", "a//b", "../a", "a/./b", ".git/config", "a/.GIT", "a\0b"])
    def test_a_path_that_git_refuses_is_refused(self, store: EventStore, path: str) -> None:
        with pytest.raises(InvalidError):
            store.edit_tree(None, {path: b"x"})

    def test_every_wrong_path_is_named(self, store: EventStore) -> None:
        with pytest.raises(InvalidError) as refused:
            store.edit_tree(None, {"a//b": b"", "ok": b"", "..": None, "folder/": b"bytes"})
        assert [p.path for p in refused.value.problems] == ["a//b", "..", "folder/"]

    def test_trees_differ_by_the_files_whose_bytes_differ(self, store: EventStore, settle: Settle) -> None:
        old = store.edit_tree(None, {"a/b": b"1", "a/c": b"2", "d/e": b"3", "f": b"4"})
        new = store.edit_tree(old, {"a/c": b"x", "d/e": None, "g/h/i": b"5"})
        settle()
        assert store.changed_paths(old, new) == ["a/c", "d/e", "g/h/i"] == store.changed_paths(new, old)
        assert store.changed_paths(old, old) == []
        assert store.changed_paths(None, new) == store.paths(new)
        assert store.changed_paths(new, None) == store.paths(new)
        swapped = store.edit_tree(store.edit_tree(old, {"a/": None}), {"a": b"file"})
        assert store.changed_paths(old, swapped) == ["a", "a/b", "a/c"]

    def test_ids_are_those_that_git_gives(self, store: EventStore) -> None:
        assert store.edit_tree(None, {}) == "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
        tree = store.edit_tree(None, {"a.yaml": b"hi\n", "a/b": b"", "a-b": b""})
        assert tree == "085b1f125e125c0e741dbc3c040f80d868fa276e"

    # The graph

    def test_a_walk_yields_each_commit_once_in_either_order(self, store: EventStore, settle: Settle) -> None:
        for seed in range(6):
            parents = _random_history(store, seed)
            tips = _tips(parents)
            settle()
            newest = [c.oid for c in store.walk(tips)]
            oldest = [c.oid for c in store.walk(tips, order="oldest")]
            assert sorted(newest) == sorted(oldest) == sorted(parents)
            assert _is_children_first(newest, parents)
            assert _is_children_first(oldest[::-1], parents)

    def test_a_walk_leaves_out_what_the_excluded_reach(self, store: EventStore) -> None:
        for seed in range(6):
            parents = _random_history(store, seed)
            oids = list(parents)
            chance = random.Random(seed)
            include, exclude = chance.sample(oids, 3), chance.sample(oids, 2)
            expected = _reach(parents, include) - _reach(parents, exclude)
            for order in ("newest", "oldest"):
                walked = [c.oid for c in store.walk(include, exclude, order=order)]
                assert sorted(walked) == sorted(expected)
                ordered = walked if order == "newest" else walked[::-1]
                assert _is_children_first(ordered, parents)

    def test_the_first_parents_are_one_line(self, store: EventStore) -> None:
        parents = _random_history(store, 1)
        tip = list(parents)[-1]
        line = [tip]
        while parents[line[-1]]:
            line.append(parents[line[-1]][0])
        assert [c.oid for c in store.walk([tip], first_parent=True)] == line
        assert [c.oid for c in store.walk([tip], first_parent=True, order="oldest")] == line[::-1]

    def test_a_line_ends_at_what_the_excluded_reach(self, store: EventStore) -> None:
        root = commit(store, "root")
        side = commit(store, "side", [root])
        tip = commit(store, "tip", [commit(store, "middle", [root]), side])
        assert [c.message for c in store.walk([tip], [side], first_parent=True)] == [b"tip", b"middle"]

    def test_oldest_first_trusts_parents_not_clocks(self, store: EventStore) -> None:
        tip = commit(store, "0", time=5_000)
        line = [tip]
        for n in range(1, 20):
            tip = commit(store, f"{n}", [tip], time=5_000 - n * 100)
            line.append(tip)
        assert [c.oid for c in store.walk([tip], order="oldest")] == line

    def test_a_walk_from_nothing_is_empty(self, store: EventStore) -> None:
        assert list(store.walk([])) == []
        tip = commit(store, "x")
        assert list(store.walk([tip], [tip])) == []

    def test_a_walk_from_what_is_not_there_is_an_error(self, store: EventStore) -> None:
        with pytest.raises(NotFoundError):
            list(store.walk([MISSING]))

    def test_ancestors_and_merge_bases_agree_with_the_plain_definition(self, store: EventStore, settle: Settle) -> None:
        for seed in range(4):
            parents = _random_history(store, seed, 24)
            oids = list(parents)
            settle()
            reach = {oid: _reach(parents, [oid]) for oid in oids}
            for a, b in random.Random(seed).sample([(a, b) for a in oids for b in oids], 60):
                common = reach[a] & reach[b]
                best = {c for c in common if not any(c != d and c in reach[d] for d in common)}
                assert store.merge_bases(a, b) == sorted(best)
                assert store.is_ancestor(a, b) == (a in reach[b])

    def test_unrelated_roots_have_no_merge_base(self, store: EventStore) -> None:
        assert store.merge_bases(commit(store, "a"), commit(store, "b")) == []

    def test_a_criss_cross_has_two_merge_bases(self, store: EventStore) -> None:
        root = commit(store, "root")
        a, b = commit(store, "a", [root]), commit(store, "b", [root])
        ab, ba = commit(store, "ab", [a, b]), commit(store, "ba", [b, a])
        assert store.merge_bases(ab, ba) == sorted([a, b])

    def test_ancestry_of_what_is_not_there_is_an_error(self, store: EventStore) -> None:
        tip = commit(store, "x")
        for a, b in ((MISSING, tip), (tip, MISSING)):
            with pytest.raises(NotFoundError):
                store.is_ancestor(a, b)
            with pytest.raises(NotFoundError):
                store.merge_bases(a, b)

    # Bulk

    @pytest.mark.parametrize("count", [3, 1_200])
    def test_a_bulk_stores_what_single_writes_store(self, store: EventStore, settle: Settle, count: int) -> None:
        base = commit(store, "base", tree=store.edit_tree(None, {"old/file": b"old"}))
        with store.bulk():
            tip, tree = base, store.commit(base).tree
            for n in range(count):
                tree = store.edit_tree(tree, {f"k/{n % 7}": b"%d" % n})
                tip = commit(store, f"{n}", [tip], tree)
                if n % 100 == 0:
                    assert store.commit(tip).message == b"%d" % n
                    assert store.read_file(tree, f"k/{n % 7}") == b"%d" % n
                    assert store.read_file(tree, "old/file") == b"old"
                    assert store.is_ancestor(base, tip)
            assert len(list(store.walk([tip], [base]))) == count
            assert store.find(tip) == [tip]
        assert store.move_ref(MAIN, tip, None)
        settle()
        assert store.ref(MAIN) == tip
        assert len(list(store.walk([tip]))) == count + 1
        assert dict(store.files(tree)).keys() == {"old/file", *(f"k/{n}" for n in range(min(7, count)))}

    def test_a_bulk_that_fails_leaves_nothing(self, store: EventStore) -> None:
        kept = commit(store, "kept")
        tree, lost = "", ""
        try:
            with store.bulk():
                tree = store.edit_tree(None, {"a": b"1"})
                lost = commit(store, "lost", [kept], tree)
                raise ZeroDivisionError
        except ZeroDivisionError:
            pass
        with pytest.raises(NotFoundError):
            store.commit(lost)
        with pytest.raises(NotFoundError):
            store.paths(tree)
        assert store.commit(kept).message == b"kept"

    def test_blocks_nest_and_the_outermost_counts(self, store: EventStore) -> None:
        oid = ""
        try:
            with store.bulk():
                with store.bulk():
                    oid = commit(store, "inner")
                assert store.commit(oid).message == b"inner"
                raise ZeroDivisionError
        except ZeroDivisionError:
            pass
        with pytest.raises(NotFoundError):
            store.commit(oid)

    def test_no_ref_moves_to_what_a_block_has_not_stored_yet(self, store: EventStore) -> None:
        before = commit(store, "before")
        with store.bulk():
            assert store.move_ref(MAIN, before, None)
            oid = commit(store, "x", [before])
            with pytest.raises(NotFoundError):
                store.move_ref(MAIN, oid, before)
        assert store.move_ref(MAIN, oid, before)


def _random_history(store: EventStore, seed: int, count: int = 60) -> dict[Oid, list[Oid]]:
    """A graph with merges, several roots and many commits in one second; times never run backwards."""
    chance = random.Random(seed)
    parents: dict[Oid, list[Oid]] = {}
    times: dict[Oid, int] = {}
    for n in range(count):
        tips = list(parents)[-6:]
        chosen = chance.sample(tips, min(len(tips), chance.choice([1, 1, 1, 2, 2, 3])))
        if chance.random() < 0.04:
            chosen = []
        time = max((times[p] for p in chosen), default=1_000) + chance.choice([0, 0, 0, 1, 5])
        oid = commit(store, f"{seed} {n}", chosen, time=time)
        parents[oid], times[oid] = chosen, time
    return parents


def _tips(parents: dict[Oid, list[Oid]]) -> list[Oid]:
    inner = {p for ps in parents.values() for p in ps}
    return [oid for oid in parents if oid not in inner]


def _reach(parents: dict[Oid, list[Oid]], tips: Iterable[Oid]) -> set[Oid]:
    seen: set[Oid] = set()
    todo = list(tips)
    while todo:
        oid = todo.pop()
        if oid not in seen:
            seen.add(oid)
            todo += parents[oid]
    return seen


def _is_children_first(order: list[Oid], parents: dict[Oid, list[Oid]]) -> bool:
    place = {oid: n for n, oid in enumerate(order)}
    return all(place[oid] < place[p] for oid in order for p in parents[oid] if p in place)
