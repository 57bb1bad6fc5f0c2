"""`ledger demo`."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Annotated

import typer

from ledger.cli.call import Call
from ledger.cli.output import Output
from ledger.errors import DamageError, UsageError

WORKERS = ("ada", "grace", "edsger")
KILLED = "edsger"
KILL_AFTER = 30  # acknowledged events
WAIT_SECONDS = 30.0

Folder = Annotated[Path | None, typer.Option(help="Where to make it; a new temporary folder by default.")]


def command(context: typer.Context, folder: Folder = None) -> None:
    """Take a tour of the ledger, in a folder that is thrown away.

    Makes a small project with a ledger, imports a real transcript, lets sessions write as processes of their
    own, kills one in mid-write, and proves that nothing acknowledged is lost.
    """
    call = Call.of(context)
    if folder is not None and folder.exists() and any(folder.iterdir()):
        raise UsageError(f"{folder} is not empty", hint="name a folder that does not exist yet")
    root = Path(tempfile.mkdtemp(prefix="ledger-demo-")) if folder is None else folder.absolute()
    began = time.perf_counter()
    tour = Tour(root, call.out)
    tour.make_project()
    tour.import_transcript()
    acknowledged = tour.write_and_kill()
    tour.recover()
    tour.prove(acknowledged)
    tour.disagree()
    tour.look_around()
    tour.farewell(time.perf_counter() - began)
    call.out.answer(tour.facts, list)


@dataclass(slots=True)
class Tour:
    """The demo's steps, in the folder `root`; each says what it does and shows the commands that a user would type."""

    root: Path
    out: Output
    facts: dict[str, object] = field(default_factory=dict)
    step: int = 0

    @property
    def project(self) -> Path:
        """The project that the ledger belongs to."""
        return self.root / "pond"

    @property
    def ledger(self) -> Path:
        """The ledger's folder."""
        return self.project / ".git" / "ledger"

    def make_project(self) -> None:
        """A git project with a ledger of its own."""
        self._heading("A small project, and a ledger for it.")
        self.project.mkdir(parents=True)
        (self.project / "README.md").write_text("# Pond\n\nBirds, and what is known of them.\n")
        self._git("init", "--quiet", "--initial-branch=main")
        self._git("add", "README.md")
        self._git("-c", "user.name=demo", "-c", "user.email=demo@localhost", "commit", "--quiet", "-m", "Begin")
        self._ledger("init")
        self.facts["ledger"] = str(self.ledger)

    def import_transcript(self) -> None:
        """A real transcript goes in."""
        self._heading("What an agent did last winter goes in: a real Claude Code transcript, stripped of names.")
        file = self.root / "session.jsonl"
        with resources.as_file(resources.files("ledger.cli") / "demo_session.jsonl") as shipped:
            shutil.copyfile(shipped, file)
        self._ledger("import", "claude-code", str(file))

    def write_and_kill(self) -> dict[str, list[str]]:
        """Three sessions write; one is killed in mid-write. Returns what each was told is safe."""
        self._heading(f"Three sessions write at once, as processes of their own; {KILLED} is killed in mid-write.")
        running = {name: self._worker(name) for name in WORKERS}
        acknowledged = {KILLED: _read_and_kill(running[KILLED])}
        for name, process in running.items():
            if name != KILLED:
                acknowledged[name] = process.communicate(timeout=WAIT_SECONDS)[0].split()
        for name, ids in acknowledged.items():
            end = "killed with SIGKILL" if name == KILLED else f"ended with {running[name].returncode}"
            self._say(f"  {name:<8}{len(ids):>4} events acknowledged, {end}")
        self.facts["acknowledged"] = sum(map(len, acknowledged.values()))
        return acknowledged

    def recover(self) -> None:
        """The killed session comes back."""
        self._heading(f"{KILLED} is found dead, and comes back with all that it knew.")
        self._ledger("sessions", "--check")
        began = time.perf_counter()
        self._ledger("recover", KILLED)
        self.facts["recovered_in"] = round(time.perf_counter() - began, 2)
        self._say(f"  it took {self.facts['recovered_in']} s, from the start of the command to its end")

    def prove(self, acknowledged: dict[str, list[str]]) -> None:
        """Everything acknowledged is in the history, once, and the law holds over every commit."""
        from ledger.core.ids import SessionId

        self._heading("Is anything lost? Every acknowledged event is looked up, and every commit's tree recomputed.")
        history = self._ids()
        lost = [i for ids in acknowledged.values() for i in ids if history.count(i) != 1]
        self._say(f"  lost or doubled: {len(lost)} of {sum(map(len, acknowledged.values()))}")
        self.facts["lost"] = len(lost)
        if lost:
            raise DamageError(
                f"{len(lost)} acknowledged events are not in the history", hint=f"look into {self.ledger}"
            )
        self._ledger("replay", str(SessionId.of("demo-agent", KILLED)))
        self._ledger("verify", "--full")

    def disagree(self) -> None:
        """Two sessions decide the same thing without seeing each other."""
        from ledger.api import open_ledger

        self._heading("Two sessions read one key, and both change it. The later write stands, the other stays visible.")
        with open_ledger(self.ledger) as ledger:
            first, second = (ledger.session("demo-agent", name) for name in WORKERS[:2])
            first.set("pond/feeding", "at noon")
            for session in (first, second):
                session.get("pond/feeding")
            first.set("pond/feeding", "at dawn")
            second.set("pond/feeding", "at dusk")
            take = ledger.get("pond/feeding").losers[0]["event"]
        self._ledger("conflicts")
        self._ledger("resolve", "pond/feeding", "--take", str(take))
        self._ledger("get", "pond/feeding")

    def look_around(self) -> None:
        """What a user sees."""
        self._heading("What do we know, what happened, and who is there?")
        self._ledger("keys")
        self._ledger("log", "-n", "8")
        self._ledger("status")

    def farewell(self, seconds: float) -> None:
        """Where it lies, and what to try next."""
        self.facts["seconds"] = round(seconds, 2)
        self._heading(f"Done in {seconds:.1f} s. The folder is yours to play with:")
        self._say(
            f"  cd {self.project}\n"
            "  ledger show            the last event, with the change that it made\n"
            "  ledger history pond/feeding\n"
            "  ledger get pond/steps --at '1m ago'\n"
            f"  git --git-dir={self.ledger / 'ledger.git'} log --stat\n"
            f"  rm -rf {self.root}     when you have seen enough"
        )

    def _heading(self, text: str) -> None:
        self.step += 1
        self._say(f"\n{self.out.paint(f'{self.step}. {text}', 'title')}")

    def _say(self, text: str) -> None:
        if self.out.form == "human":
            self.out.lines([text])
            sys.stdout.flush()

    def _git(self, *arguments: str) -> None:
        subprocess.run(["git", *arguments], cwd=self.project, env=_environment(), check=True)

    def _ledger(self, *arguments: str) -> None:
        self._say(self.out.paint(f"$ ledger {shlex.join(arguments)}", "time"))
        done = subprocess.run(
            [sys.executable, "-m", "ledger", *arguments],
            cwd=self.project,
            env=_environment() | {"LEDGER_DIR": str(self.ledger)},
            capture_output=True,
            text=True,
            check=False,
        )
        self._say((done.stdout + done.stderr).rstrip("\n"))
        # 1 is an answer ("yes, there are conflicts"), not a failure.
        if done.returncode > 1:
            raise DamageError(f"`ledger {arguments[0]}` ended with {done.returncode}", hint=f"look into {self.ledger}")

    def _worker(self, name: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "ledger.cli.demo_worker", str(self.ledger), name],
            stdout=subprocess.PIPE,
            text=True,
            env=_environment(),
        )

    def _ids(self) -> list[str]:
        from ledger.actions.tip import event_id
        from ledger.api import open_ledger
        from ledger.storage.layout import MAIN

        with open_ledger(self.ledger) as ledger:
            tip = ledger.place.store.ref(MAIN)
            return [str(event_id(c)) for c in ledger.place.store.walk([tip] if tip else [], order="newest")]


def _read_and_kill(process: subprocess.Popen[str]) -> list[str]:
    told = []
    for line in process.stdout or ():
        told.append(line.strip())
        if len(told) == KILL_AFTER:
            process.send_signal(signal.SIGKILL)
    process.wait(timeout=WAIT_SECONDS)
    # A line cut by the kill was never told.
    return [i for i in told if len(i) == 36]


def _environment() -> dict[str, str]:
    """The environment without what would lead git or the ledger to another place."""
    return {k: v for k, v in os.environ.items() if not k.startswith(("GIT_", "LEDGER_"))}
