"""Trust: Codex runs a hook only once its user trusts it, by its place in the file and its digest; else it says nothing.

Its own program is asked and told: `codex app-server` speaks JSON-RPC, one document a line. Only hooks whose command is
ours are trusted. The trust lies in the user's `config.toml`, where it is remembered as any file that was changed.
"""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, Any, NamedTuple, cast

import ledger
from ledger.actions.install import Target, Where, is_ours, missing_folder, target_of
from ledger.actions.installed import Written, digest, installed, remember
from ledger.errors import BusyError, StorageError
from ledger.recording.registering import AGENTS
from ledger.storage import settings_file
from ledger.storage.program import scrubbed_environment

AGENT = "codex"
CONFIG = "trust"  # the scope under which the user's config.toml is remembered
SECONDS = 20.0

BY_HAND = "start codex in this project, trust the folder, then trust the hooks: /hooks"


class Hook(NamedTuple):
    """One of our hooks as Codex sees it: its key in the settings, its digest, and whether Codex runs it."""

    key: str
    digest: str
    is_trusted: bool


class Trust(NamedTuple):
    """What Codex runs of ours; `unknown` says why its program cannot be asked, `missing` names the folder without which
    it reads no hooks in this worktree.
    """

    hooks: tuple[Hook, ...] = ()
    unknown: str = ""
    missing: str = ""

    @property
    def is_given(self) -> bool:
        """Whether every hook of ours is run."""
        return bool(self.hooks) and all(hook.is_trusted for hook in self.hooks)


def trust_of(where: Where) -> Trust:
    """Whether Codex trusts our hooks in this project; it is asked by its own program."""
    missing = _missing(where)
    try:
        with _serving(where) as server:
            return Trust(tuple(_ours(server, where)), missing=missing)
    except (BusyError, StorageError) as error:
        return Trust(unknown=error.message, missing=missing)


def give_trust(where: Where) -> Trust:
    """Have Codex trust our hooks in this project, and no others; what its settings were before is remembered."""
    config = config_target(where)
    try:
        before = settings_file.read(config.path, config.root)
        with _serving(where) as server:
            new = [hook for hook in _ours(server, where) if not hook.is_trusted]
            if new:
                _tell(server, new)
            there = tuple(_ours(server, where))
    except (BusyError, StorageError) as error:
        return Trust(unknown=error.message)
    _remember(where, config, before, [hook.key for hook in new])
    return Trust(there)


def config_target(where: Where) -> Target:
    """The file in which Codex keeps what its user trusts."""
    hooks = target_of(where, AGENTS[AGENT], "user")
    return hooks._replace(scope=CONFIG, path=hooks.path.with_name("config.toml"))


def untrusted(text: str, keys: Sequence[str]) -> str:
    """Codex's settings without the trust in the hooks of these keys; every other line stays."""
    headers = {f"[hooks.state.{json.dumps(key, ensure_ascii=False)}]" for key in keys}
    lines, is_theirs = [], True
    for line in text.splitlines(keepends=True):
        if line.startswith("["):
            is_theirs = line.strip() not in headers
        if is_theirs:
            lines.append(line)
    return "".join(lines)


def _missing(where: Where) -> str:
    folder = missing_folder(where, target_of(where, AGENTS[AGENT], "shared"))
    return "" if folder is None else str(folder)


def _remember(where: Where, config: Target, before: bytes | None, keys: Sequence[str]) -> None:
    after = settings_file.read(config.path, config.root)
    if after is None or after == before:
        return
    known = next((one for one in installed(where.layout) if one.path == config.path), None)
    kept = known.before if known is not None and known.is_as_left(before) else before
    given = dict.fromkeys((*(() if known is None else known.made or ()), *((key,) for key in keys)))
    remember(where.layout, Written(AGENT, CONFIG, config.path, kept, digest(after), tuple(given)))


def _ours(server: _Server, where: Where) -> Iterator[Hook]:
    answer = server.call("hooks/list", {"cwds": [str(where.project)]})
    for entry in answer.get("data", []):
        for hook in entry.get("hooks", []):
            if is_ours(str(hook.get("command", ""))):
                trusted = hook.get("trustStatus") in ("trusted", "managed") and hook.get("enabled", True)
                yield Hook(str(hook["key"]), str(hook["currentHash"]), bool(trusted))


def _tell(server: _Server, hooks: Sequence[Hook]) -> None:
    state = {hook.key: {"trusted_hash": hook.digest} for hook in hooks}
    edit = {"keyPath": "hooks.state", "mergeStrategy": "upsert", "value": state}
    server.call("config/batchWrite", {"edits": [edit], "reloadUserConfig": True})


@dataclass(slots=True)
class _Server:
    """A conversation with Codex's program."""

    into: IO[bytes]
    out: IO[bytes]
    asked: int = field(default=0)

    def call(self, method: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """The result of one call; raises StorageError for a refusal, BusyError where no answer comes."""
        self.asked += 1
        self._write({"id": self.asked, "method": method, "params": parameters})
        for line in self.out:
            answer = json.loads(line)
            if answer.get("id") == self.asked:
                if "result" not in answer:
                    raise StorageError(f"codex refused {method}: {answer.get('error', {}).get('message', '')}")
                return dict(answer["result"] or {})
        raise BusyError("codex gave no answer")

    def greet(self) -> None:
        """Introduce ourselves, as its protocol wants it."""
        self.call("initialize", {"clientInfo": {"name": "context-ledger", "version": ledger.__version__}})
        self._write({"method": "initialized"})

    def _write(self, document: dict[str, Any]) -> None:
        try:
            self.into.write(json.dumps({"jsonrpc": "2.0"} | document).encode() + b"\n")
        except BrokenPipeError:
            raise BusyError("codex ended before it was asked") from None


@contextmanager
def _serving(where: Where) -> Iterator[_Server]:
    program = shutil.which(AGENT, path=where.environment.get("PATH"))
    if program is None:
        raise StorageError("codex is not on PATH")
    environment = scrubbed_environment() | {"HOME": str(where.home)}
    with subprocess.Popen(
        [program, "app-server"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        bufsize=0,  # what a program that ended has not read must not be written once more at the end
        cwd=where.project,
        env=environment,
    ) as process:
        # It may hang, as any program may; then its pipe ends, and with it what waits for an answer.
        watch = threading.Timer(SECONDS, process.kill)
        watch.start()
        try:
            if process.stdin is None or process.stdout is None:
                raise StorageError("codex has no pipes")
            server = _Server(process.stdin, io.BufferedReader(cast(io.RawIOBase, process.stdout)))
            server.greet()
            yield server
            process.stdin.close()
            process.wait(SECONDS)
        except ValueError as fault:
            raise StorageError(f"codex gave no JSON: {fault}") from fault
        finally:
            watch.cancel()
            process.kill()
