"""Canonical text, an event: our writer and reader against PyYAML's in C, and against JSON for scale.

The event is checked and its size is printed; all contestants work on the same documents and bytes.
"""

from __future__ import annotations

import json

import _measure
import yaml
from _sample import AGENT, drafts

from ledger.core import canonical
from ledger.core.event import ENVELOPE, Event
from ledger.core.events import find_kind, message_of
from ledger.core.ids import SessionId

EVENTS = _measure.scaled(500)


def events() -> list[Event]:
    """Events as they are written."""
    session = str(SessionId.of(AGENT, "bench"))
    return [
        Event(
            id=f"0199f3c2-7b1e-7abc-8def-{number:012x}",
            type=draft.type,
            v=draft.v,
            session=session,
            time=draft.time or "",
            data=draft.data,
            changes_state=bool((kind := find_kind(draft.type)) and kind.changes_state),
            origin=draft.origin,
        )
        for number, draft in enumerate(drafts(EVENTS))
    ]


def main() -> None:
    _measure.machine()
    all_events = events()
    documents = [event.document() for event in all_events]
    texts = [canonical.dumps(document, first=ENVELOPE).encode() for document in documents]
    in_json = [json.dumps(document) for document in documents]
    if [yaml.load(text, yaml.CSafeLoader) for text in texts] != documents:
        raise AssertionError("PyYAML reads something else than we wrote")
    mean = sum(map(len, texts)) / len(texts)
    write = {
        "PyYAML in C": lambda: [yaml.dump(d, Dumper=yaml.CSafeDumper, sort_keys=False) for d in documents],
        "canonical.dumps": lambda: [canonical.dumps(d, first=ENVELOPE) for d in documents],
        "whole message, with its subject": lambda: [message_of(event) for event in all_events],
        "canonical.problems": lambda: [canonical.problems(d) for d in documents],
        "json.dumps": lambda: [json.dumps(d) for d in documents],
    }
    _measure.table(f"writing an event of {mean:,.0f} bytes", _measure.race(write, per=EVENTS), unit="us")
    read = {
        "PyYAML in C": lambda: [yaml.load(text, yaml.CSafeLoader) for text in texts],
        "canonical.loads": lambda: [canonical.loads(text, first=ENVELOPE) for text in texts],
        "json.loads": lambda: [json.loads(text) for text in in_json],
    }
    _measure.table("reading it", _measure.race(read, per=EVENTS), unit="us")


if __name__ == "__main__":
    main()
