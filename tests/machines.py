"""Other machines, for tests: real git servers on loopback, and a link that can be cut, slowed and reset."""

from __future__ import annotations

import getpass
import os
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

SSHD = "/usr/sbin/sshd"


def bare(path: Path) -> Path:
    """An ordinary bare repository, with nothing of ours in it."""
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(path)], check=True)
    return path


@contextmanager
def http_server(root: Path) -> Iterator[str]:
    """`git http-backend` on loopback for all repositories below `root`; gives the URL of the root."""
    command = [sys.executable, "-m", "tests.http_backend", str(root)]
    folder = Path(__file__).resolve().parent.parent
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=folder)
    assert server.stdout is not None
    try:
        yield f"http://127.0.0.1:{server.stdout.readline().strip()}"
    finally:
        server.terminate()
        server.wait(10)
        server.stdout.close()


@contextmanager
def git_daemon(root: Path) -> Iterator[str]:
    """`git daemon` on loopback, which takes pushes; gives the URL of the root."""
    port = _free_port()
    command = ["git", "daemon", "--listen=127.0.0.1", f"--port={port}", f"--base-path={root}", "--reuseaddr"]
    command += ["--export-all", "--enable=receive-pack", str(root)]
    daemon = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        _await_port(port)
        yield f"git://127.0.0.1:{port}"
    finally:
        with suppress(ProcessLookupError):
            os.killpg(daemon.pid, 15)
        daemon.wait(10)


@contextmanager
def ssh_server(folder: Path, user: str) -> Iterator[tuple[str, str]]:
    """A real sshd on loopback that calls whoever comes `user`; gives the start of URLs, and the command for git."""
    folder.mkdir()
    for name in ("host", "key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
    public = (folder / "key.pub").read_text()
    (folder / "authorized").write_text(f'environment="LEDGER_USER={user}" {public}')
    port = _free_port()
    (folder / "config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nAuthorizedKeysFile {folder}/authorized\n"
        "StrictModes no\nUsePAM no\nPidFile none\nPasswordAuthentication no\nPermitRootLogin yes\n"
        "PermitUserEnvironment LEDGER_USER\n"
    )
    Path("/run/sshd").mkdir(exist_ok=True)
    sshd = subprocess.Popen([SSHD, "-D", "-e", "-f", str(folder / "config")], stderr=subprocess.DEVNULL)
    options = "-o BatchMode=yes -o IdentitiesOnly=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null"
    try:
        _await_port(port)
        yield f"ssh://{getpass.getuser()}@127.0.0.1:{port}", f"ssh -i {folder}/key -F none -o LogLevel=ERROR {options}"
    finally:
        sshd.terminate()
        sshd.wait(10)


class Link:
    """A link to a port of this machine, which passes on what it is let: so many bytes, so slowly, or nothing."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self.cut_after: int | None = None  # bytes that still go towards the server; then the link is reset
        self.delay = 0.0  # seconds before each piece
        self.hangs = False  # takes connections, and passes nothing on
        self.sent = 0
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        self._listening.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _serve(self) -> None:
        while True:
            try:
                here, _ = self._listening.accept()
            except OSError:
                return
            if self.hangs:
                threading.Thread(target=self._hold, args=(here,), daemon=True).start()
                continue
            threading.Thread(target=self._join, args=(here,), daemon=True).start()

    def _join(self, here: socket.socket) -> None:
        with here, suppress(OSError), socket.create_connection(("127.0.0.1", self._port)) as there:
            upward = threading.Thread(target=self._pass, args=(here, there, True), daemon=True)
            upward.start()
            self._pass(there, here, False)
            upward.join()

    def _hold(self, here: socket.socket) -> None:
        while self.hangs:
            time.sleep(0.05)
        here.close()

    def _pass(self, source: socket.socket, sink: socket.socket, is_upward: bool) -> None:
        with suppress(OSError):
            while data := source.recv(4096):
                time.sleep(self.delay)
                if is_upward and self.cut_after is not None:
                    data = data[: self.cut_after]
                    self.cut_after -= len(data)
                    if data:
                        sink.sendall(data)
                    if self.cut_after <= 0:
                        _reset(source)
                        _reset(sink)
                        return
                    continue
                self.sent += len(data)
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)


def _reset(end: socket.socket) -> None:
    with suppress(OSError):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        end.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _await_port(port: int) -> None:
    until = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            assert time.monotonic() < until
            time.sleep(0.02)
