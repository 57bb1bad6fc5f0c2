"""An agent whose hooks are captured, for the tests of what becomes of that."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from ledger.actions.find import tips
from ledger.actions.tip import event_of
from ledger.api import Ledger
from ledger.core.event import Event
from ledger.core.ids import SessionId
from ledger.storage import spool
from ledger.storage.layout import Layout
from ledger.storage.spool import Captured

KEY = "56422690-bc20-4983-b21e-8514b3d56b4b"
PROMPT = "9ec829d2-3162-444c-8179-b417ac801235"


@dataclass
class Claude:
    """One session of Claude Code: its hooks fire a second after one another, in the process of the test."""

    layout: Layout
    key: str = KEY
    cwd: str = "/nowhere/project"
    pid: int = field(default_factory=os.getpid)
    transcript: str = "/nowhere/transcript.jsonl"
    moments: Any = field(default_factory=lambda: count(int(time.time())))

    @property
    def session(self) -> str:
        """The ledger's id of the session."""
        return str(SessionId.of("claude-code", self.key))

    def payload(self, event: str, **fields: Any) -> bytes:
        """What the agent sends to a hook."""
        common = {"session_id": self.key, "transcript_path": self.transcript, "cwd": self.cwd}
        return json.dumps(common | {"hook_event_name": event} | fields).encode()

    def fire(self, event: str, **fields: Any) -> Captured:
        """Let a hook capture that."""
        return self.capture(event, self.payload(event, **fields))

    def capture(self, event: str, raw: bytes, agent: str = "claude-code") -> Captured:
        """Let a hook capture these bytes, a second after those before."""
        kept = spool.put(self.layout, agent, event, self.pid, raw)
        return at(kept, next(self.moments))

    def start(self, source: str = "startup") -> Captured:
        """A session begins."""
        return self.fire("SessionStart", source=source, model="claude-opus-4-5")

    def ask(self, text: str = "Add a login form", prompt: str = PROMPT) -> Captured:
        """Somebody asks for something."""
        return self.fire("UserPromptSubmit", prompt=text, prompt_id=prompt, permission_mode="default")

    def use(self, call: str = "toolu_01", command: str = "echo hello", output: str = "hello") -> Captured:
        """A tool has been used."""
        return self.fire(
            "PostToolUse",
            prompt_id=PROMPT,
            permission_mode="default",
            tool_name="Bash",
            tool_use_id=call,
            tool_input={"command": command},
            tool_response={"stdout": output, "stderr": "", "interrupted": False, "isImage": False},
        )

    def stop(self, prompt: str = PROMPT, said: str = "Done.") -> Captured:
        """A turn ends."""
        return self.fire("Stop", prompt_id=prompt, stop_hook_active=False, last_assistant_message=said)

    def end(self, reason: str = "prompt_input_exit") -> Captured:
        """The session ends."""
        return self.fire("SessionEnd", reason=reason)

    def work(self, calls: int = 2) -> None:
        """A whole session of one turn."""
        self.start()
        self.ask()
        for number in range(calls):
            self.use(f"toolu_{number:02}", f"echo {number}")
        self.stop()
        self.end()


def at(captured: Captured, moment: float) -> Captured:
    """The same, captured at that moment (seconds since 1970)."""
    os.utime(captured.path, ns=(int(moment * 1_000_000_000),) * 2)
    return captured._replace(time=int(moment * 1_000_000))


def gemini(event: str, key: str, when: str, **fields: Any) -> bytes:
    """What Gemini CLI sends to a hook: no call and no prompt has an id of its own."""
    common = {"session_id": key, "transcript_path": "/nowhere/chat.jsonl", "cwd": "/nowhere/project"}
    return json.dumps(common | {"hook_event_name": event, "timestamp": when} | fields).encode()


def events(ledger: Ledger, session: str | None = None) -> list[Event]:
    """Every event of the ledger, of one session if named, in the order of ids; what joins lines is left out."""
    place = ledger.place
    found = (event_of(commit) for commit in place.store.walk(tips(place), order="oldest"))
    kept = [event for event in found if event.type != "sync.merged" and session in (None, event.session)]
    return sorted(kept, key=lambda event: event.id)


def types(ledger: Ledger, session: str | None = None) -> list[str]:
    """The types of these events."""
    return [event.type for event in events(ledger, session)]


def written_below(folder: Path) -> bytes:
    """Every byte in the files below a folder."""
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())
