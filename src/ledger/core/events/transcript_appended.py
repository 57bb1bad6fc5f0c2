"""`transcript.appended`: new bytes of the agent's transcript, redacted, kept as an attachment."""

from __future__ import annotations

from ledger.core.events.kind import Data, Kind, Titles


def titles(data: Data) -> Titles:
    return data["form"], f"{data['lines']} lines, {data['attachment']['size']} bytes"


KIND = Kind(type="transcript.appended", titles=titles)
