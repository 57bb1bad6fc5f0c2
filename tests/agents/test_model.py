"""The scripted model itself, asked as agents ask it."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

import pytest
from tests.agents import completions, generate, responses
from tests.agents.model import Model, serving
from tests.agents.script import Later, Refuse, Script, Shell, say
from tests.agents.wire import Wire

SCRIPT: Script = {"Please begin": [Shell("echo one"), Later(0.01, say("All ", "done.")), Refuse(400)]}

RESPONSES = ("/v1/responses", {"input": [{"role": "user", "type": "message", "content": "Please begin"}]})
GENERATE = (
    "/v1beta/models/m:streamGenerateContent?alt=sse",
    {"contents": [{"role": "user", "parts": [{"text": "Please begin"}]}]},
)
COMPLETIONS = ("/v1/chat/completions", {"messages": [{"role": "user", "content": "Please begin"}], "stream": True})
TOOLS: dict[str, list[Any]] = {
    "/v1/responses": [{"type": "function", "name": "exec_command"}],
    "/v1beta/models/m:streamGenerateContent?alt=sse": [{"functionDeclarations": [{"name": "run_shell_command"}]}],
    "/v1/chat/completions": [{"function": {"name": "bash"}}],
}
WIRES = pytest.mark.parametrize(
    ("wire", "path", "body"),
    [(responses, *RESPONSES), (generate, *GENERATE), (completions, *COMPLETIONS)],
    ids=["responses", "generate", "completions"],
)


def ask(model: Model, path: str, body: dict[str, Any], **more: Any) -> str:
    """What the model answers to a request."""
    data = json.dumps({"stream": True, **body, **more}).encode()
    with urllib.request.urlopen(urllib.request.Request(model.url + path, data=data), timeout=10) as answer:
        return str(answer.read().decode())


@WIRES
def test_a_prompt_leads_through_its_steps_in_order(wire: Wire, path: str, body: dict[str, Any]) -> None:
    with serving(wire, SCRIPT) as model:
        assert "echo one" in ask(model, path, body, tools=TOOLS[path])
        answer = ask(model, path, body, tools=TOOLS[path])
        assert "All " in answer
        assert "done." in answer
        with pytest.raises(urllib.error.HTTPError, match="400"):
            ask(model, path, body, tools=TOOLS[path])
        assert model.left() == {}
        assert [one.says("Please begin", "user") for one in model.requests] == [True, True, True]


@WIRES
def test_what_is_asked_aside_takes_no_step(wire: Wire, path: str, body: dict[str, Any]) -> None:
    with serving(wire, SCRIPT) as model:
        assert "scripted" in ask(model, path, body)
        assert model.left() == {"Please begin": 3}


def test_one_request_too_many_is_refused_and_counted() -> None:
    with serving(responses, {"Please begin": [say("Done.")]}) as model:
        path, body = RESPONSES
        ask(model, path, body, tools=TOOLS[path])
        with pytest.raises(urllib.error.HTTPError):
            ask(model, path, body, tools=TOOLS[path])
        assert model.left() == {"Please begin": -1}


def test_nobody_gets_through_to_elsewhere() -> None:
    with serving(responses, {}) as model:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({"http": model.url, "https": model.url}))
        with pytest.raises(urllib.error.URLError):
            opener.open("https://elsewhere.invalid/", timeout=10)
        with pytest.raises(urllib.error.HTTPError, match="404"):
            opener.open("http://elsewhere.invalid/", timeout=10)
        assert model.elsewhere == ["elsewhere.invalid:443", "http://elsewhere.invalid/"]


def test_waiting_for_a_request_that_does_not_come_ends() -> None:
    with serving(responses, SCRIPT) as model, pytest.raises(TimeoutError, match="0 requests of 1"):
        model.wait("Please begin", 1, seconds=0.05)
