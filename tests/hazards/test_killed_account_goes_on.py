"""Hazard: the account of a year dies after hours, and leaves half a book behind or begins again."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import shapely

from landdamage.models import ChangeCell, Edition, Patch
from landdamage.services.account import edition_verify
from landdamage.services.editions import edition_compute, edition_draft
from minegis.jobs.models import Job
from minegis.jobs.services import workdir
from minegis.registry.models import Mine
from tests.fixtures.accounted import multi

pytestmark = pytest.mark.django_db(transaction=True)
REAP_OFTEN = {"reap": {"task": "minegis.jobs.tasks.reap", "schedule": 0.5}}
STRIPS = 12


def test_a_killed_account_goes_on_from_its_units(
    district: SimpleNamespace, celery_worker: Any, wait_until: Any
) -> None:
    Patch.objects.filter(water_origin="unknown").update(water_origin="natural")
    Mine.objects.all().delete()
    west, south, east, north = district.truth.outline().bounds
    for number in range(STRIPS):
        low, high = (west + (east - west) * step / STRIPS for step in (number, number + 1))
        strip = multi(shapely.box(low, south, high, north))
        Mine.objects.create(
            code=f"S{number:02d}", name_zh="条", mineral_kind="metal", mining_method="open_pit", region=district.region,
            boundary=strip, influence_zone=strip,
        )  # fmt: skip
    worker = celery_worker("cpu", JOB_LEASE_SECONDS=2)
    draft = edition_draft(region=district.region, year=district.truth.years[0], user=district.analyst)
    edition = edition_compute(edition=draft, user=district.analyst, lock=1)
    folder = workdir(edition.job_id)
    wait_until(lambda: any(folder.glob("unit-*.out.npz")), 120)
    worker.kill()
    assert Job.objects.get(pk=edition.job_id).state == "running"
    assert not ChangeCell.objects.exists()

    celery_worker("cpu", beat=True, JOB_LEASE_SECONDS=2, CELERY_BEAT_SCHEDULE=REAP_OFTEN)
    wait_until(lambda: not Job.objects.get(pk=edition.job_id).is_active, 120)
    job, edition = Job.objects.get(pk=edition.job_id), Edition.objects.get(pk=edition.pk)
    assert (job.state, job.attempts) == ("succeeded", 2), job.error_values
    assert 0 < job.result["units"] < STRIPS
    assert edition.results["units"] == STRIPS
    assert edition.cells.count() == job.result["cells"]
    edition_verify(edition)
