"""The demonstration's books: every year drafted, computed by the worker, decided and published, the last left open."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import geopandas as gpd
from django.contrib.gis.geos import GEOSGeometry

from landdamage.models import Edition, MonitoredArea, Patch
from landdamage.selectors.reviews import tailings_open
from landdamage.services.areas import area_update
from landdamage.services.decisions import accept_all
from landdamage.services.editions import edition_compute, edition_draft, edition_freeze, edition_publish
from landdamage.services.tailings import POND, tailings_review
from landdamage.services.water import water_decide
from minegis.access.models import User
from minegis.errors import MineGISError
from minegis.jobs.models import Job
from minegis.registry.models import SRID, Region

DEADLINE = 900.0  # seconds for one year on a slow machine
POLL = 0.5


def keep_books(region: Region, years: tuple[int, ...], folder: Path, progress: Callable[[str], None]) -> list[Edition]:
    """Make the books of every year that has none yet; the last year stays a draft, for people to decide.

    Waters of unknown origin are decided as natural, newly seen damage as new; what has disappeared stays pending, and
    tailings ponds that the network found are confirmed. Those of the last year wait for a reviewer.

    Args:
        region: of the demonstration.
        years: ascending.
        folder: of the simulated district, whose outline is monitored beyond the mines' influence zones.
        progress: called with what has been done.

    Raises:
        MineGISError: an account failed; its code and values.
        TimeoutError: the workers did not finish in time.
    """
    analyst, reviewer, manager = (User.objects.get(username=name) for name in ("analyst", "reviewer", "manager"))
    if not MonitoredArea.objects.filter(region=region).exists():
        outline = gpd.read_file(folder / "region.gpkg").to_crs(SRID).geometry.iloc[0]
        area_update(region=region, user=analyst, extra=GEOSGeometry(outline.wkt, srid=SRID), note="whole district")
    for year in years:
        edition = Edition.objects.filter(region=region, year=year).first()
        if edition is not None and (edition.state != Edition.State.DRAFT or edition.computed_at):
            continue
        edition = edition or edition_draft(region=region, year=year, user=analyst)
        edition = _compute(edition, analyst)
        if waters := edition.results.get("undecided_water"):
            for patch in Patch.objects.filter(pk__in=waters):
                water_decide(patch=patch, origin="natural", user=reviewer, version=patch.version)
            edition = _compute(edition, analyst)
        if year != years[-1]:
            for patch in tailings_open(edition):
                tailings_review(patch=patch, shows=POND, user=reviewer, version=patch.version)
            accept_all(edition=edition, user=reviewer)
            edition.refresh_from_db()
            edition = edition_freeze(edition=edition, user=analyst, lock=edition.lock)
            edition = edition_publish(edition=edition, user=manager, lock=edition.lock, sign_bias=True)
        progress(f"{edition.year} {edition.state}")
    return list(Edition.objects.filter(region=region, year__in=years).order_by("year", "version"))


def _compute(edition: Edition, analyst: User) -> Edition:
    edition.refresh_from_db()
    if edition.job is None or not edition.job.is_active:
        edition = edition_compute(edition=edition, user=analyst, lock=edition.lock)
    assert edition.job is not None  # it has just been queued
    end = time.monotonic() + DEADLINE
    while (job := Job.objects.get(pk=edition.job.pk)).is_active:
        if time.monotonic() > end:
            raise TimeoutError(f"the account of {edition} was not finished in {DEADLINE:.0f} s")
        time.sleep(POLL)
    if job.state != Job.State.SUCCEEDED:
        raise MineGISError(job.error_code or "E-JOB-01", **(job.error_values or {"state": job.state}))
    edition.refresh_from_db()
    return edition
