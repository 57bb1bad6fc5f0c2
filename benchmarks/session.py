"""What does recording cost a whole session: the seconds that its agent waits, and the processor time behind it?

The agent is a script: it is asked once in ten calls, thinks for three seconds before each call of a tool, edits with
every fourth, and fires its hooks as Claude Code does, one after the other, waiting for each. Without hooks it does the
same. What the process behind the hooks takes counts too, from its beginning to its last event.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import _measure
import psutil

from ledger.actions.find import tips
from ledger.actions.install import equip
from ledger.actions.tip import event_of
from ledger.api import create_ledger, open_ledger
from ledger.core.ids import SessionId
from ledger.storage import spool
from ledger.storage.layout import Layout

CALLS = _measure.scaled(40)
THINKS = 3.0  # seconds before each call
PER_PROMPT = 10
PER_EDIT = 4
OUTPUT = "a line of output\n" * 20


@dataclass
class Cost:
    """Seconds: how long the session took, how long of that it waited for hooks, and the processors' time."""

    took: float = 0.0
    hooks: list[float] = field(default_factory=list)
    worked: float = 0.0
    behind: float = 0.0


def script() -> Iterator[tuple[str, dict[str, Any]]]:
    """What the agent tells its hooks, in order; a call is told once it is done."""
    yield "SessionStart", {"source": "startup", "model": "m"}
    for number in range(CALLS):
        if number % PER_PROMPT == 0:
            yield "UserPromptSubmit", {"prompt": f"Go on with part {number}", "prompt_id": str(number)}
        yield from call(number)
        if number % PER_PROMPT == PER_PROMPT - 1:
            yield "Stop", {"prompt_id": str(number), "last_assistant_message": "Done."}
    yield "SessionEnd", {"reason": "other"}


def call(number: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """One call of a tool; of an edit, the agent tells before, too."""
    given = {"tool_name": "Bash", "tool_input": {"command": f"pytest -q tests/test_{number}.py"}}
    if number % PER_EDIT == 0:
        given = {"tool_name": "Edit", "tool_input": {"file_path": f"src/a{number}.py", "old_string": "a"}}
        yield "PreToolUse", given
    yield "PostToolUse", given | {"tool_use_id": f"toolu_{number}", "tool_response": {"stdout": OUTPUT}}


def session(folder: Path, layout: Layout | None) -> Cost:
    """One session; with hooks where there is a ledger."""
    cost, key = Cost(), str(uuid.uuid4())
    began, worked = time.perf_counter(), _children()
    for event, fields in script():
        if event == "PostToolUse":
            time.sleep(THINKS)
            subprocess.run(["true"], check=True)
        if layout is not None:
            cost.hooks.append(_measure.seconds(partial(fire, layout, folder, key, event, fields)))
    cost.took, cost.worked = time.perf_counter() - began, _children() - worked
    if layout is not None:
        cost.behind = behind(layout)
        check(layout, key)
    return cost


def fire(layout: Layout, folder: Path, key: str, event: str, fields: dict[str, Any]) -> None:
    """Run one hook as the agent does."""
    common = {"session_id": key, "cwd": str(folder), "permission_mode": "default", "hook_event_name": event}
    raw = json.dumps(common | fields).encode()
    subprocess.run(["sh", "-c", f"{layout.hook} claude-code {event}"], input=raw, check=True, capture_output=True)


def behind(layout: Layout) -> float:
    """The processor time of the process that drains, once nothing waits any more; it is ended."""
    while spool.waiting(layout):
        time.sleep(0.1)
    time.sleep(1)
    number = spool.draining(layout)
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(number)
        used = process.cpu_times()
        process.kill()
        return used.user + used.system
    raise AssertionError("the process that drains has gone before its time could be read")


def check(layout: Layout, key: str) -> None:
    """Raises AssertionError if a call was not recorded."""
    with open_ledger(layout.root) as ledger:
        told = (event_of(commit) for commit in ledger.place.store.walk(tips(ledger.place)))
        mine = [event.type for event in told if event.session == SessionId.of("claude-code", key)]
    found = mine.count("tool.completed")
    if found != CALLS:
        raise AssertionError(f"{found} of {CALLS} calls were recorded")


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Run the session without hooks, and with them."""
    _measure.machine()
    with _measure.folder() as folder:
        os.environ |= {"TMPDIR": str(folder)}
        with create_ledger(folder / "ledger")[0] as made:
            layout = made.layout
        equip(layout)
        bare, recorded = session(folder, None), session(folder, layout)
    more, work = recorded.took - bare.took, recorded.worked - bare.worked
    slowest = max(recorded.hooks)
    rows = [
        ("it takes", f"{bare.took:.2f} s without hooks, {recorded.took:.2f} s with them: {more / bare.took:+.2%}"),
        ("it waits", f"{sum(recorded.hooks):.2f} s for {len(recorded.hooks)} hooks, {slowest:.3f} s at most"),
        ("processors", f"{work:.2f} s in hooks: {work / bare.took:.2%} of one"),
        ("behind it", f"{recorded.behind:.2f} s: {recorded.behind / bare.took:.2%}"),
    ]
    _measure.facts(f"a session of {CALLS} calls, {THINKS:g} s each", rows)


if __name__ == "__main__":
    main()
