"""Claims by rows: one owner per block, a lease that runs out, and no say for workers that would compute otherwise."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.db.models.functions import Now

from landdamage.interpretation.blocks import Shared, cut
from landdamage.interpretation.strips import StripStore
from landdamage.models import InterpretationBlock
from landdamage.services.claims import RowClaims, blocks_forget, blocks_prepare, claiming
from landdamage.services.helping import _stopped, lend_a_hand
from minegis.errors import JobCancelledError
from minegis.jobs.services import job_cancel, job_claim, job_submit
from minegis.windows import Plan

pytestmark = pytest.mark.django_db


def shared_in(folder: Path, key: str = "k") -> Shared:
    plan = Plan(300, 64, 64, 16)
    return Shared(StripStore(folder, plan, {}), cut(plan, 48 * 64), key)


def write(shared: Shared, number: int) -> None:
    block = shared.blocks[number]
    for strip in range(block.first, block.last):
        first, last = shared.store.plan.final_rows(strip)
        shared.store.save(block.panel, strip, np.zeros((3, last - first, 64), np.uint8), np.zeros(1, np.float32))


@pytest.fixture
def run(interpreted: Any) -> Any:
    interpreted.job = job_submit(kind="interpret", params={"run_id": str(interpreted.pk)}, created_by=None)
    interpreted.save()
    assert job_claim(job_id=interpreted.job_id, worker="leader") is not None
    interpreted.job.refresh_from_db()
    return interpreted


def claims(run: Any, shared: Shared, name: str, leads: bool = False, stopped: bool = False) -> RowClaims:
    return RowClaims(run, shared, name, lambda: stopped, leads)


def state(run: Any, number: int) -> tuple[str, str]:
    row = InterpretationBlock.objects.get(run=run, number=number)
    return row.state, row.worker


def test_two_workers_share_all_blocks_and_claim_each_once(run: Any, tmp_path: Path) -> None:
    shared = shared_in(tmp_path)
    blocks_prepare(run=run, shared=shared)
    one, two, last_one, last_two, taken = claims(run, shared, "one"), claims(run, shared, "two"), None, None, []
    for _ in range(len(shared.blocks) // 2):
        last_one, last_two = one.take(last_one), two.take(last_two)
        taken += [last_one, last_two]
        one.finish(last_one, 1)
        two.finish(last_two, 1)
    assert sorted(taken) == list(range(len(shared.blocks)))
    assert one.take(last_one) is None
    assert blocks_forget(run=run) == {"count": 6, "claims": 6, "windows": 6, "workers": 2}


def test_a_block_of_a_silent_worker_is_taken_over_and_its_late_word_does_not_count(run: Any, tmp_path: Path) -> None:
    shared = shared_in(tmp_path)
    blocks_prepare(run=run, shared=shared)
    silent, other = claims(run, shared, "silent"), claims(run, shared, "other")
    assert silent.take(None) == 0
    attempt = InterpretationBlock.objects.get(run=run, number=0).attempt_id
    InterpretationBlock.objects.filter(run=run, number=0).update(lease_until=Now())
    InterpretationBlock.objects.filter(run=run).exclude(number=0).update(state="done")
    assert other.take(None) == 0
    silent._renew(attempt)
    assert silent.lost()
    silent.finish(0, 9)
    assert state(run, 0) == ("taken", "other")
    silent.release(0)
    assert state(run, 0) == ("taken", "other")
    other.release(0)
    assert state(run, 0)[0] == "free"


def test_going_on_counts_what_lies_in_the_folder_and_nothing_else(run: Any, tmp_path: Path) -> None:
    shared = shared_in(tmp_path)
    blocks_prepare(run=run, shared=shared)
    write(shared, 2)
    InterpretationBlock.objects.filter(run=run, number=3).update(state="done")  # its files are gone
    blocks_prepare(run=run, shared=shared)
    assert [state(run, number)[0] for number in range(4)] == ["free", "free", "done", "free"]


def test_workers_that_would_write_other_bits_get_no_block(run: Any, tmp_path: Path) -> None:
    shared, unlike = shared_in(tmp_path, "this"), shared_in(tmp_path, "that")
    blocks_prepare(run=run, shared=shared)
    assert claims(run, unlike, "unlike").take(None) is None
    mine = claims(run, shared, "mine")
    assert mine.take(None) == 0
    attempt = InterpretationBlock.objects.get(run=run, number=0).attempt_id
    blocks_prepare(run=run, shared=unlike)  # another kind of machine leads now
    mine._renew(attempt)
    assert mine.lost()
    assert mine.take(0) is None


def test_who_waits_hears_of_a_cancel(run: Any, tmp_path: Path) -> None:
    shared = shared_in(tmp_path)
    blocks_prepare(run=run, shared=shared)
    InterpretationBlock.objects.filter(run=run).update(state="done")
    with pytest.raises(JobCancelledError):
        claims(run, shared, "leader", leads=True, stopped=True).take(None)


def test_a_helper_leaves_when_a_job_waits_and_the_leader_stays(run: Any, tmp_path: Path) -> None:
    shared = shared_in(tmp_path)
    blocks_prepare(run=run, shared=shared)
    helper, leader = claims(run, shared, "helper"), claims(run, shared, "leader", leads=True)
    number = helper.take(None)
    job_submit(kind="interpret", params={"run_id": str(run.pk)}, created_by=None)
    helper.finish(number, 1)
    assert helper.take(number) is None
    assert leader.take(None) is not None


def test_a_helper_hears_of_a_cancel_and_of_the_end(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("landdamage.services.helping.LOOK_EVERY_S", 0.0)
    stopped = _stopped(run.job_id)
    assert not stopped()
    job_cancel(job=run.job)
    assert stopped()


def test_a_call_too_late_does_nothing(run: Any, tmp_path: Path) -> None:
    assert lend_a_hand(run.job_id, worker="late") == 0  # it has not begun
    run.job.state = "cancelled"
    run.job.save()
    assert lend_a_hand(run.job_id, worker="late") == 0


@pytest.mark.django_db(transaction=True)
def test_the_lease_of_the_block_in_hand_is_renewed(run: Any, tmp_path: Path, wait_until: Any, settings: Any) -> None:
    settings.JOB_LEASE_SECONDS = 2
    shared = shared_in(tmp_path)
    blocks_prepare(run=run, shared=shared)
    with claiming(run, shared, worker="one", stopped=lambda: False, leads=False) as mine:
        number = mine.take(None)
        first = InterpretationBlock.objects.get(run=run, number=number).lease_until
        wait_until(lambda: InterpretationBlock.objects.get(run=run, number=number).lease_until > first, 30)
        assert mine.workers() == 1
    assert not any(thread.name.startswith("blocks-") for thread in threading.enumerate())
