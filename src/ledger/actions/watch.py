"""Watch: the events of a ledger as they land, each told once, in the order of its line."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass
from itertools import chain, islice

from ledger.actions.find import find_commit, main_tip
from ledger.actions.log import Logged
from ledger.actions.tip import event_of
from ledger.errors import DamageError, NotFoundError, UsageError
from ledger.storage.layout import MAIN, PRIVATE, session_of
from ledger.storage.place import Place
from ledger.storage.store import Commit, Oid
from ledger.storage.watching import RefWatch, Stop

PassOver = Callable[[Commit], None]

BATCH = 64  # events that asyncio is handed at once: whoever stops watching waits for no more than these


@dataclass(frozen=True, slots=True)
class Watched:
    """Which events are told: those behind `since`, a REV, or from now on; without what `session` wrote, unless `own`.

    Private sessions are told to themselves alone. `pass_over` is given each commit that carries no event; without it
    the first one raises DamageError.
    """

    since: str | None = None
    session: str | None = None
    own: bool = False
    pass_over: PassOver | None = None


def watch(place: Place, watched: Watched, stop: Stop | None = None) -> Iterator[Logged]:
    """The events as they land, until `stop` is set; it listens from this call on, whenever the first one is asked for.

    Raises CannotWatchError where the system gives no word of changes, UsageError for a ledger in memory, and what
    `find_commit` raises for `since`.
    """
    return chain.from_iterable(_batches(*_begin(place, watched), stop))


async def awatch(open_place: Callable[[], Place], watched: Watched) -> AsyncIterator[Logged]:
    """The same for asyncio, from the first step on; the store that it reads is its own, and lives in a thread.

    The thread ends before the loop that is left, cancelled or broken out of goes on.
    """
    stop, loop = threading.Event(), asyncio.get_running_loop()
    reader = _reader(open_place, watched, stop)
    pool = ThreadPoolExecutor(1, thread_name_prefix="ledger-watch")
    try:
        while batch := await loop.run_in_executor(pool, next, reader, None):
            for one in batch:
                yield one
    finally:
        stop.set()
        pool.submit(reader.close)
        pool.shutdown()


def _reader(open_place: Callable[[], Place], watched: Watched, stop: Stop) -> Generator[list[Logged], None, None]:
    with closing(open_place()) as place:
        yield from _batches(*_begin(place, watched), stop)


def _begin(place: Place, watched: Watched) -> tuple[RefWatch, News]:
    if place.layout is None:
        raise UsageError("a ledger in memory cannot be watched", hint="nobody but this process can write to it")
    # First listened, then looked: what lands in between is heard of.
    refs = RefWatch(place.layout.git_dir)
    try:
        return refs, News(place, watched)
    except BaseException:
        refs.close()
        raise


def _batches(refs: RefWatch, news: News, stop: Stop | None) -> Generator[list[Logged], None, None]:
    with refs:
        while stop is None or not stop.is_set():
            told = news.tell()
            while batch := list(islice(told, BATCH)):
                yield batch
            if not refs.wait(None, stop):
                return


class News:
    """What a ledger holds that was not told yet; it begins when it is made, or behind what `watched` says."""

    def __init__(self, place: Place, watched: Watched) -> None:
        self._place, self._watched, since = place, watched, watched.since
        # Everything that these reach was told.
        self._told = set(self._tips().values()) if since is None else {find_commit(place, since)}
        if not self._told:
            main_tip(place)

    def tell(self) -> Iterator[Logged]:
        """What came since the last time, parents before children; to be read to its end."""
        tips, watched = self._tips(), self._watched
        new = sorted(set(tips.values()) - self._told)
        if not new:
            return
        for commit in self._range(new):
            event = self._event(commit)
            if event is not None and (watched.own or event.event.session != watched.session):
                yield event
        self._remember(tips)

    def _tips(self) -> dict[str, Oid]:
        refs, session = self._place.store.refs(), self._watched.session
        return {ref: oid for ref, oid in refs.items() if not ref.startswith(PRIVATE) or session_of(ref) == session}

    def _range(self, new: list[Oid]) -> Iterator[Commit]:
        try:
            yield from self._place.store.walk(new, sorted(self._told), order="oldest")
        except NotFoundError as error:
            raise DamageError(
                f"a ref or a parent names no commit: {error.message}", hint="`ledger verify` names all that is wrong"
            ) from error

    def _event(self, commit: Commit) -> Logged | None:
        try:
            return Logged(event_of(commit), commit)
        except DamageError:
            if self._watched.pass_over is None:
                raise
            self._watched.pass_over(commit)
            return None

    def _remember(self, tips: dict[str, Oid]) -> None:
        # Refs are read one after the other: a line may be gone already whose events main, read before, did not hold
        # yet. What was told stays remembered until main holds it.
        main, now = tips.get(MAIN), set(tips.values())
        left = {oid for oid in self._told - now if main is None or not self._holds(main, oid)}
        self._told = now | left

    def _holds(self, main: Oid, oid: Oid) -> bool:
        with suppress(NotFoundError):  # gc may have taken what no ref holds any more
            return self._place.store.is_ancestor(oid, main)
        return True
