"""Attachments are kept, named, limited, and safe from gc."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
from pathlib import Path

import pytest

from ledger.errors import DamageError, InvalidError, NotFoundError
from ledger.storage import maintenance
from ledger.storage.layout import Layout, session_ref
from ledger.storage.payloads import PayloadStore


@pytest.fixture
def payloads(layout: Layout) -> PayloadStore:
    return PayloadStore(layout.payloads_dir, limit=10_000)


def test_a_payload_reads_back_by_its_id(payloads: PayloadStore) -> None:
    data = os.urandom(5_000)
    kept = payloads.put("s", data, "tool-output")
    assert kept.size == 5_000
    assert kept.sha256 == hashlib.sha256(data).hexdigest()
    assert payloads.get(kept.id) == payloads.get(kept.id, kept.sha256) == data


def test_a_payload_in_chunks_is_the_same_as_one_in_whole(payloads: PayloadStore) -> None:
    assert payloads.put("s", (b"ab", b"", b"c"), "x") == payloads.put("s", b"abc", "x")


def test_what_an_event_did_not_name_is_damage(payloads: PayloadStore) -> None:
    kept = payloads.put("s", b"data", "x")
    with pytest.raises(DamageError):
        payloads.get(kept.id, "0" * 64)
    with pytest.raises(NotFoundError):
        payloads.get("0" * 40)


def test_a_payload_at_the_limit_is_kept_and_above_it_refused_before_anything_is_written(
    payloads: PayloadStore, layout: Layout
) -> None:
    payloads.put("s", b"x" * 10_000, "most")
    before = sorted(layout.payloads_dir.rglob("*"))
    too_large = (b"y" * 1_000 for _ in range(1_000_000))
    with pytest.raises(InvalidError, match="larger than 10,000 bytes"):
        payloads.put("s", too_large, "chunks")
    assert next(too_large)
    with pytest.raises(InvalidError) as refused:
        payloads.put_many("s", [("fits", b"z"), ("large", b"y" * 10_001), ("../x", b"")])
    assert [p.path for p in refused.value.problems] == ["large", "../x"]
    assert sorted(layout.payloads_dir.rglob("*")) == before


def test_one_ref_names_every_attachment_of_a_session(payloads: PayloadStore) -> None:
    kept = [payloads.put("s", b"%d" % n, f"{n:04}") for n in range(20)]
    payloads.put("other", b"x", "x")
    assert [name[:4] for name in payloads.session_files("s")] == [f"{n:04}" for n in range(20)]
    assert sorted(payloads.session_files("s").values()) == sorted(a.id for a in kept)
    assert payloads.session_files("nobody") == {}


def test_many_are_one_commit_and_the_same_again_is_none(payloads: PayloadStore) -> None:
    items = [(f"{n}", b"%d" % n) for n in range(200)]
    kept = payloads.put_many("s", items)
    tip = payloads.store.ref(session_ref("s"))
    assert tip is not None
    assert payloads.store.commit(tip).parents == ()
    assert payloads.put_many("s", items) == kept
    assert payloads.store.ref(session_ref("s")) == tip


def test_two_contents_of_one_name_are_both_kept(payloads: PayloadStore) -> None:
    one, two = payloads.put("s", b"one", "x"), payloads.put("s", b"two", "x")
    assert set(payloads.session_files("s").values()) == {one.id, two.id}


def test_maintenance_keeps_every_attachment(payloads: PayloadStore, layout: Layout) -> None:
    kept = [payloads.put("s", os.urandom(50), f"{n}") for n in range(30)]
    for path in (layout.payloads_dir / "objects").glob("??/*"):
        os.utime(path, (1, 1))
    maintenance.gc(layout)
    maintenance.gc(layout, is_full=True)
    payloads.close()
    assert all(payloads.get(a.id, a.sha256) for a in kept)


def _put(path: Path, worker: int) -> None:
    payloads = PayloadStore(path, durability="none")
    for n in range(25):
        payloads.put("s", b"%d %d" % (worker, n), f"{worker}-{n}")


def test_processes_that_put_at_once_lose_nothing(layout: Layout) -> None:
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_put, args=(layout.payloads_dir, n)) for n in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(PayloadStore(layout.payloads_dir).session_files("s")) == 75
