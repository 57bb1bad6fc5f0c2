"""Where things lie: every ref name, and every file and folder of a ledger, spelled once.

The paths inside a commit's tree belong to the state and are spelled in core/state.py.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from ledger.errors import InvalidError, Problem
from ledger.storage.spooling import FOLDERS as SPOOL

MAIN = "refs/heads/main"
SESSIONS = "refs/heads/session/"
PRIVATE = "refs/heads/private/"
CHECKPOINTS = "refs/heads/checkpoint/"
ATTACHMENTS = "refs/attachments/"  # on servers, and in payloads.git as they were exchanged last: a branch a session

FOLDER_NAME = "ledger"  # inside the project's git folder
PLAIN_FOLDER_NAME = ".ledger"  # outside git

# What `git check-ref-format` forbids, and a full name: it starts with "refs/" and goes on.
_REF = re.compile(r"refs(?:/(?!\.)[^\x00-\x20\x7f~^:?*\[\\/]+)+")
_FORBIDDEN_IN_REF = re.compile(r"\.\.|@\{|\.lock(?:/|$)|\.$")


def session_ref(session: str) -> str:
    """The branch of one session: in ledger.git its events, in payloads.git its attachments."""
    return SESSIONS + session


def private_ref(session: str) -> str:
    """The branch of a private session. That it lies apart is what makes the session private: no event can change it."""
    return PRIVATE + session


def checkpoint_ref(session: str) -> str:
    """The branch in payloads.git of the working trees that checkpoints of one session hold, the newest first."""
    return CHECKPOINTS + session


def session_of(ref: str) -> str | None:
    """The session whose branch `ref` is, private or not; or None."""
    found = next((folder for folder in (SESSIONS, PRIVATE) if ref.startswith(folder)), None)
    return None if found is None else ref.removeprefix(found)


def is_ref_name(name: str) -> bool:
    """Whether git would accept `name` as the full name of a ref."""
    return _REF.fullmatch(name) is not None and _FORBIDDEN_IN_REF.search(name) is None


def require_ref_name(name: str) -> None:
    """Raise InvalidError for a name that git would refuse for a ref."""
    if not is_ref_name(name):
        raise InvalidError("this ref cannot be written:", [Problem(name, "is not the full name of a ref")])


@dataclass(frozen=True, slots=True)
class Layout:
    """The files and folders of the ledger at `root`; nothing is touched, only named."""

    root: Path

    @property
    def git_dir(self) -> Path:
        """The bare repository that holds the events."""
        return self.root / "ledger.git"

    @property
    def payloads_dir(self) -> Path:
        """Its bare sibling, for attachments and checkpoints of the working tree."""
        return self.root / "payloads.git"

    @property
    def spool(self) -> Path:
        """Captured payloads that wait to be committed: tmp, new, rejected; and how often each hook fired."""
        return self.root / "spool"

    @property
    def draining(self) -> Path:
        """Names the process that drains in the background, while one does."""
        return self.spool / "draining"

    @property
    def numbered(self) -> Path:
        """The numbers that a drain gave to facts without ids of their own, until they are committed."""
        return self.spool / "numbered"

    @property
    def place_id(self) -> Path:
        """The random name of this very folder: what could not be spooled in it waits elsewhere under this name."""
        return self.root / "place"

    @property
    def hook(self) -> Path:
        """What agents' hooks and git's run on this machine."""
        return self.root / "hook"

    @property
    def installed(self) -> Path:
        """What was written into agents' settings, and what stood there before."""
        return self.root / "installed.json"

    @property
    def git_hook(self) -> Path:
        """What the shims among the project's git hooks run: it says what git did, and hands that to `hook`."""
        return self.root / "git-hook"

    @property
    def journal(self) -> Path:
        """The write-ahead logs, one file a session."""
        return self.root / "journal"

    def journal_of(self, session: str) -> Path:
        """The write-ahead log of one session."""
        return self.journal / f"{session}.journal"

    @property
    def live(self) -> Path:
        """One file a running session, touched as its heartbeat."""
        return self.root / "live"

    def live_of(self, session: str) -> Path:
        """The file that says which process one session lives in."""
        return self.live / session

    @property
    def beats(self) -> Path:
        """One file a process whose hooks have fired, touched as a sign of its life."""
        return self.live / ".beat"

    def beat_of(self, pid: int) -> Path:
        """The sign of life of one process."""
        return self.beats / str(pid)

    def fence_of(self, session: str) -> Path:
        """The claims to one session that hold no longer, a line each; there only once its process was declared dead."""
        return Path(self.fence_path(session))

    def fence_path(self, session: str) -> str:
        """The same as a text: every write of a session looks for it, and a Path takes ten times as long."""
        return f"{self.root}/live/.fenced/{session}"

    @property
    def off(self) -> Path:
        """One file a switch that is off; the folder is there only while one is."""
        return self.root / "off"

    @property
    def off_path(self) -> str:
        """The same as a text: it is looked at by every write, and to build a Path takes 2 to 5 µs."""
        return f"{self.root}/off"

    @property
    def told(self) -> Path:
        """What agents were told last: up to which commit each session, and which session each worktree."""
        return self.root / "told"

    def told_to(self, session: str) -> Path:
        """The commit of main up to which one session has been told."""
        return self.told / session

    def told_in(self, worktree: Path) -> Path:
        """The session that was told something last in one worktree."""
        return self.told / f"worktree-{hashlib.sha256(os.fsencode(worktree)).hexdigest()[:32]}"

    @property
    def no_leases(self) -> Path:
        """The commit of main at which nobody held a lease, when that was last looked at."""
        return self.told / "no-leases"

    @property
    def heads(self) -> Path:
        """The heads last seen, kept outside the repository."""
        return self.root / "heads"

    @property
    def index(self) -> Path:
        """Projections that can be deleted and rebuilt."""
        return self.root / "index"

    @property
    def seen(self) -> Path:
        """The projection of what was recorded already."""
        return self.index / "seen.sqlite"

    @property
    def reached(self) -> Path:
        """The projection of which commit is below which."""
        return self.index / "reached"

    @property
    def events_index(self) -> Path:
        """The folder of the projections of all events: rows, words, segments."""
        return self.index / "events"

    def stats_of(self, worktree: Path) -> Path:
        """The projection of what the files of one working tree were at its last checkpoint."""
        return self.index / f"worktree-{hashlib.sha256(os.fsencode(worktree)).hexdigest()[:32]}"

    @property
    def checkpoints_size(self) -> Path:
        """The projection of how many bytes the working trees of all checkpoints take."""
        return self.index / "checkpoints"

    @property
    def logs(self) -> Path:
        """The program's own logs."""
        return self.root / "logs"

    @property
    def quarantine(self) -> Path:
        """Damaged files, moved aside and never deleted by us."""
        return self.root / "quarantine"

    @property
    def config(self) -> Path:
        """The settings of this ledger."""
        return self.root / "config.toml"

    @property
    def locks(self) -> Path:
        """The lock files; they are never deleted, the kernel lets go of a dead holder's lock."""
        return self.root / "locks"

    @property
    def queue_lock(self) -> Path:
        """Taken for every shared write."""
        return self.locks / "queue"

    @property
    def hurry_lock(self) -> Path:
        """The queue of those who end in a hurry while somebody hangs in the other."""
        return self.locks / "hurry"

    @property
    def drain_lock(self) -> Path:
        """Taken while the spool is listed and sorted by session."""
        return self.locks / "drain"

    @property
    def import_lock(self) -> Path:
        """Taken while transcripts are imported."""
        return self.locks / "import"

    @property
    def index_lock(self) -> Path:
        """Shared by all who read the index of the events; who throws it away has it alone."""
        return self.locks / "index"

    @property
    def indexing_lock(self) -> Path:
        """Taken while the index of the events is extended: one process does, for all."""
        return self.locks / "indexing"

    @property
    def maintenance_lock(self) -> Path:
        """Taken by gc."""
        return self.locks / "maintenance"

    @property
    def recovery_lock(self) -> Path:
        """Taken while damage is being put right."""
        return self.locks / "recovery"

    @property
    def checkpoint_lock(self) -> Path:
        """Taken while a working tree is captured, put back, or let go of."""
        return self.locks / "checkpoint"

    @property
    def sync_lock(self) -> Path:
        """Taken while this machine exchanges events with another: one process does, for all."""
        return self.locks / "sync"

    @property
    def fetch_lock(self) -> Path:
        """Taken while objects come in that nothing reaches yet: nothing is dropped meanwhile."""
        return self.locks / "fetch"

    @property
    def exchanging_lock(self) -> Path:
        """Held by the process that meets the remotes by itself, for as long as it runs."""
        return self.locks / "exchanging"

    @property
    def remotes(self) -> Path:
        """What is remembered of each remote, a file each."""
        return self.root / "remotes"

    @property
    def live_lock(self) -> Path:
        """Taken for a moment while a file in `live` changes hands."""
        return self.locks / "live"

    @property
    def epoch_lock(self) -> Path:
        """Taken while one epoch gives way to the next."""
        return self.locks / "epoch"

    @property
    def turning(self) -> Path:
        """There while one epoch gives way to the next; says what is decided, once it is."""
        return self.root / "turning"

    @property
    def turning_path(self) -> str:
        """The same as a text: every write looks for it."""
        return f"{self.root}/turning"

    @property
    def archive(self) -> Path:
        """What epochs that are over held: a bundle each."""
        return self.root / "archive"

    @property
    def boot(self) -> Path:
        """The machine's boot id when the ledger was last found sound."""
        return self.root / "boot"

    def session_lock(self, session: str) -> Path:
        """Taken while the events of one session are written."""
        return self.locks / f"session-{session}"

    @property
    def folders(self) -> tuple[Path, ...]:
        """The folders that every ledger has, besides its two repositories."""
        spool = (self.spool, *(self.spool / name for name in SPOOL))
        return (*spool, self.journal, self.live, self.beats, self.index, self.logs, self.locks, self.quarantine)

    @property
    def repositories(self) -> tuple[Path, Path]:
        """The two bare repositories."""
        return self.git_dir, self.payloads_dir
