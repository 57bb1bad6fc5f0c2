"""Hand edits: what a person changed in the files of an ordinary clone, as events."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ledger.actions.append import Appended, Draft, Writer
from ledger.actions.read import reader_at
from ledger.actions.session import Session
from ledger.actions.writers import Target, deleting, setting
from ledger.core import canonical
from ledger.core.key import key_problems
from ledger.core.state import Reader, context_path, key_of
from ledger.errors import InvalidError, Problem
from ledger.storage.place import Place
from ledger.storage.plain import Edit

_OURS = "is written by events alone: take the change back (git checkout -- FILE)"
_VALUE = "`value` is what a person may change; the rest of the file follows from the events"


def record_edits(place: Place, session: Session, edits: Iterable[Edit]) -> Appended:
    """Write an event for each file below `context/` that was changed, made or removed; all of them, or none.

    A file that is made needs a `value`, and may name a `policy`; of one that stands only `value` may be another.
    Raises InvalidError with every file that says something else.
    """
    reader = reader_at(place)  # of main, which is what the files were of
    broken: list[Problem] = []
    writers = [writer for edit in edits for writer in _writers(reader, edit, broken)]
    if broken:
        raise InvalidError("nothing was recorded:", broken)
    if not writers:
        return Appended()
    return session.write(writers)


def _writers(reader: Reader, edit: Edit, broken: list[Problem]) -> Iterable[Writer | Draft]:
    key = key_of(edit.path) if edit.path.startswith("context/") and edit.path.endswith(".yaml") else None
    if key is None:
        broken.append(Problem(edit.path, _OURS))
        return ()
    wrong = [Problem(edit.path, problem.rule) for problem in key_problems(key)]
    broken += wrong
    if wrong:
        return ()
    before = reader.get(context_path(key))
    if edit.data is None:
        return () if before is None or before.get("deleted") else (deleting(Target(key), None),)
    try:
        told: Any = canonical.loads_lenient(edit.data)
    except InvalidError as error:
        broken += [Problem(f"{edit.path}, {problem.path}", problem.rule) for problem in error.problems]
        return ()
    problems = list(_problems(told, before))
    broken += [Problem(edit.path, rule) for rule in problems]
    if problems or (before is not None and "value" in before and told["value"] == before["value"]):
        return ()
    policy = told.get("policy") if before is None or before.get("deleted") else None
    return (setting(Target(key, policy=policy), told["value"]),)


def _problems(told: Any, before: Any) -> Iterable[str]:
    if not isinstance(told, dict):
        yield "must be a mapping with `value`"
        return
    if "value" not in told:
        yield "has no `value`; to take the key away, remove the file"
        return
    known = before if before is not None and not before.get("deleted") else {"policy": told.get("policy")}
    for name in sorted(told.keys() | known.keys()):
        if name != "value" and told.get(name) != known.get(name):
            yield f"{name}: {_VALUE}"
