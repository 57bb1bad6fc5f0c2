"""What does a server's judgement of a push cost, unsigned and signed? Whole processes, by a folder.

Beside it git's own work: the same push to a bare repository without our hook.
"""

from __future__ import annotations

import itertools
import shutil
import subprocess
from pathlib import Path

import _measure
from _sample import fill

from ledger.actions.sync import sync
from ledger.api import create_ledger, open_ledger
from ledger.storage.access_file import NAME
from ledger.storage.layout import Layout
from ledger.storage.remotes import Remote
from ledger.storage.server import prepare

EVENTS = _measure.scaled(1_000)
ACCESS = """signatures = "required"
[[who]]
name = "me"
key = "{key}"
"""
_numbers = itertools.count()


def push(ledger: Path, server: Path) -> None:
    """Push main of the ledger by git itself."""
    git_dir = Layout(ledger).git_dir
    command = ["git", f"--git-dir={git_dir}", "push", "-q", str(server), "refs/heads/main:refs/heads/main"]
    subprocess.run(command, check=True, capture_output=True, env=_measure.git_environment())


def filled(folder: Path, key: Path | None) -> tuple[Path, Path]:
    """A ledger of EVENTS events behind what is on a server, and that server."""
    ledger, server = folder / "ledger", folder / "server.git"
    create_ledger(ledger)[0].close()
    prepare(server)
    push(ledger, server)
    if key is not None:
        (ledger / "config.toml").write_text(f'[signing]\nkey = "{key}"\n')
    with open_ledger(ledger, durability="none") as opened:
        fill(opened, EVENTS)
    if key is not None:
        (server / NAME).write_text(ACCESS.format(key=key.with_suffix(".pub").read_text().strip()))
    return ledger, server


def fresh(folder: Path, server: Path) -> Path:
    """A copy of the server as it was."""
    copy = folder / f"copy-{next(_numbers)}.git"
    shutil.copytree(server, copy)
    return copy


def main() -> None:
    _measure.machine()
    with _measure.folder() as folder:
        key = folder / "key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
        contestants: dict[str, _measure.Work] = {}
        for name, signing in (("unsigned", None), ("signed", key)):
            (folder / name).mkdir()
            ledger, server = filled(folder / name, signing)
            plain = folder / name / "plain.git"
            shutil.copytree(server, plain)
            shutil.rmtree(plain / "hooks")
            contestants[f"{name}, git alone"] = lambda ledger=ledger, plain=plain: push(ledger, fresh(folder, plain))
            contestants[f"{name}, judged"] = lambda ledger=ledger, server=server: push(ledger, fresh(folder, server))
        _measure.tails(f"push of {EVENTS:,} events", _measure.race(contestants, max(3, _measure.ROUNDS)))
        server = fresh(folder, folder / "unsigned" / "server.git")
        push(folder / "unsigned" / "ledger", server)
        with open_ledger(folder / "unsigned" / "ledger") as opened:
            remote = Remote("origin", str(server))
            contestants = {
                "ls-remote": lambda: subprocess.run(["git", "ls-remote", server], capture_output=True, check=True)
            }
            contestants["sync, nothing new"] = lambda: sync(opened.place, remote)
            _measure.tails("with nothing new", _measure.race(contestants, max(20, _measure.ROUNDS)))


if __name__ == "__main__":
    main()
