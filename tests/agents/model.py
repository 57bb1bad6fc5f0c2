"""A model server on loopback that does what a script says, and remembers what it was asked."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Condition, Thread
from typing import Any

from tests.agents.script import Later, Move, Refuse, Script, Step, say
from tests.agents.wire import Told, Wire, event

# What an agent asks aside: a title, a summary, whether a model is there.
ASIDE = say("scripted")


@dataclass(frozen=True, slots=True)
class Request:
    """A request of the agent's to the model: which prompt it serves ("" for one aside) and what it hands over."""

    prompt: str
    told: tuple[Told, ...]
    tools: tuple[str, ...]

    def says(self, text: str, role: str | None = None) -> bool:
        """True if some text of the request (in that role) contains `text`."""
        return self.times(text, role) > 0

    def times(self, text: str, role: str | None = None) -> int:
        """How many texts of the request (in that role) contain `text`."""
        return sum(text in one.text for one in self.told if role in (None, one.role))


class Model:
    """A model that follows a script: the last prompt of the script that a request holds says which steps are due.

    A prompt's steps are done one a request. What a request without a prompt of the script gets is `ASIDE`.
    """

    def __init__(self, wire: Wire, script: Script) -> None:
        self.script: dict[str, Sequence[Step]] = dict(script)
        self.requests: list[Request] = []
        self.elsewhere: list[str] = []
        self.url = ""
        self._wire = wire
        self._taken: Counter[str] = Counter()
        self._heard = Condition()

    def wait(self, prompt: str, requests: int, seconds: float = 60) -> None:
        """Returns when a prompt has led to so many requests; raises TimeoutError if that takes too long."""
        with self._heard:
            if not self._heard.wait_for(lambda: len(self.asked(prompt)) >= requests, seconds):
                raise TimeoutError(f"{len(self.asked(prompt))} requests of {requests} for {prompt!r}")

    def asked(self, prompt: str) -> list[Request]:
        """The requests that a prompt has led to."""
        return [one for one in self.requests if one.prompt == prompt]

    def left(self) -> dict[str, int]:
        """How many steps of each prompt were not asked for; below zero where more was asked than the script holds."""
        left = {prompt: len(steps) - self._taken[prompt] for prompt, steps in self.script.items()}
        return {prompt: count for prompt, count in left.items() if count}

    def answer(self, body: dict[str, Any]) -> tuple[Step, int]:
        """The step that is due, and the number of the request."""
        told, tools = tuple(self._wire.told(body)), tuple(self._wire.tools(body))
        # What asks for a title quotes the prompt, but has no use for tools.
        prompt = self._prompt(told) if tools else ""
        with self._heard:
            self.requests.append(Request(prompt, told, tools))
            number = len(self.requests)
            step = self._next(prompt)
            self._heard.notify_all()
        return step, number

    def owns(self, path: str) -> bool:
        """True for the path of a request to the model."""
        return self._wire.owns(path)

    def words(self, move: Move, body: dict[str, Any], number: int) -> Iterator[Any]:
        """The documents of the reply."""
        return self._wire.words(move, body, number)

    def _prompt(self, told: Sequence[Told]) -> str:
        users = [one.text for one in told if one.role == "user"]
        for text in reversed(users):
            # An agent whose last prompt failed may hand it over once more, before the next.
            found = max(self.script, key=text.rfind, default="")
            if found in text:
                return found
        return ""

    def _next(self, prompt: str) -> Step:
        steps = self.script.get(prompt, ())
        position = self._taken[prompt]
        self._taken[prompt] += 1
        if not prompt:
            return ASIDE
        return steps[position] if position < len(steps) else Refuse(400)


@contextmanager
def serving(wire: Wire, script: Script) -> Iterator[Model]:
    """A model at `Model.url` for as long as the block lasts.

    It is a proxy too, one that lets nobody through: `Model.elsewhere` names what an agent tried to reach.
    """
    model = Model(wire, script)
    handler = type("Handler", (_Handler,), {"model": model})
    with _Server(("127.0.0.1", 0), handler) as server:
        model.url = f"http://127.0.0.1:{server.server_port}"
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield model
        finally:
            server.shutdown()


def proxied(url: str) -> Mapping[str, str]:
    """The environment in which nothing but loopback is reached."""
    names = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
    both = {name: url for upper in names for name in (upper, upper.lower())}
    return both | {"NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost"}


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """An agent that hangs up is no fault of ours; anything else is."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    model: Model
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.model.owns(self.path):
            self._model(json.loads(body))
        else:
            self._refuse(404)

    def do_GET(self) -> None:
        self._refuse(404)

    def do_CONNECT(self) -> None:
        self._refuse(403)

    def log_message(self, *_: Any) -> None:
        """Nothing is printed: the model remembers what matters."""

    def _model(self, body: dict[str, Any]) -> None:
        step, number = self.model.answer(body)
        if isinstance(step, Later):
            time.sleep(step.seconds)
            step = step.move
        if isinstance(step, Refuse):
            self._json(step.status, {"error": {"code": step.status, "message": "scripted failure", "type": "scripted"}})
        elif body.get("stream", "streamGenerateContent" in self.path):
            self._stream(self.model.words(step, body, number))
        else:
            self._json(200, next(iter(self.model.words(step, body, number))))

    def _stream(self, words: Iterator[Any]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        for document in words:
            self.wfile.write(event(document))
            self.wfile.flush()
        self.close_connection = True

    def _refuse(self, status: int) -> None:
        if not self.path.startswith("/"):
            self.model.elsewhere.append(self.path)
        self._json(status, {"error": {"code": status, "message": "not here"}})

    def _json(self, status: int, document: Any) -> None:
        data = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
