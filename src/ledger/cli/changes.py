"""A change of the state, for people and for programs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ledger.cli.output import Output
from ledger.cli.words import as_yaml, differences, indented, visible
from ledger.core.state import Document, key_of

if TYPE_CHECKING:
    from ledger.actions.compare import Change

_VERBS = {(True, False): "removed", (False, True): "added", (True, True): "changed"}


def verb_of(change: Change) -> str:
    """`added`, `removed` or `changed`; a tombstone counts as no value."""
    return _VERBS.get((_stands(change.before), _stands(change.after)), "changed")


def change_document(change: Change) -> dict[str, Any]:
    """A change for programs."""
    return {
        "path": change.path,
        "key": key_of(change.path) if change.path.startswith("context/") else None,
        "change": verb_of(change),
        "before": change.before,
        "after": change.after,
    }


def change_lines(out: Output, change: Change) -> Iterator[str]:
    """A change for people: what it is about, and the lines that differ."""
    is_entry = "context/" in change.path
    before, after = (_text(document, is_entry=is_entry) for document in (change.before, change.after))
    yield out.paint(f"{verb_of(change)} {visible(change.path)}", "title")
    for line in indented(visible(one) for one in differences(before, after)):
        yield out.paint(line, "added" if line.startswith("  +") else "removed" if line.startswith("  -") else "time")


def _stands(document: Document | None) -> bool:
    return document is not None and not document.get("deleted")


def _text(document: Document | None, *, is_entry: bool) -> str | None:
    if document is None or not _stands(document):
        return None
    # Of an entry, people want the value; who wrote it, and when, stands in the event.
    return as_yaml(document.get("value")) if is_entry else as_yaml(document)
