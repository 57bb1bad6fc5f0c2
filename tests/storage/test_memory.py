"""MemoryStore keeps the contract, and stays itself under threads."""

from __future__ import annotations

import threading

import pytest
from tests.storage.contract import EventStoreContract, commit

from ledger.storage.layout import MAIN
from ledger.storage.memory import MemoryStore


class TestMemoryStore(EventStoreContract):
    @pytest.fixture
    def store(self) -> MemoryStore:
        return MemoryStore()


def test_of_many_threads_that_move_a_ref_from_one_place_one_wins() -> None:
    store = MemoryStore()
    oids = [commit(store, f"{n}") for n in range(8)]
    won: list[bool] = []
    start = threading.Barrier(8)

    def move(oid: str) -> None:
        start.wait()
        won.append(store.move_ref(MAIN, oid, None))

    threads = [threading.Thread(target=move, args=(oid,)) for oid in oids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won) == [False] * 7 + [True]
