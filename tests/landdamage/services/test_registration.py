"""How well scenes are registered: from the file or a reviewer, kept word for word, and what accounts make of it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from landdamage.models import Scene
from landdamage.reports.tables import build
from landdamage.selectors.editions import edition_data
from landdamage.services.editions import edition_compute, edition_draft
from landdamage.services.registration import registration_set
from minegis.errors import ConflictError, ForbiddenError, MineGISError
from minegis.jobs.runner import run_job
from tests.fixtures.accounted import computed, published

pytestmark = pytest.mark.django_db


def measured(plot: SimpleNamespace, scene: Scene, rmse_m: float | None, **fields: Any) -> Scene:
    scene.refresh_from_db()
    given = {"method": "25 个检查点，1:10000 正射影像", "user": plot.reviewer, "seen": scene.georef_rmse_m, **fields}
    return registration_set(scene=scene, rmse_m=rmse_m, **given)


def year(plot: SimpleNamespace, number: int, **fields: Any) -> Any:
    return computed(edition_draft(region=plot.region, year=number, user=plot.analyst, **fields), plot.analyst)


def test_the_worst_of_both_years_counts_and_what_is_assumed_is_said(plot: SimpleNamespace) -> None:
    before, now = plot.scene("2021-07-01"), plot.scene("2022-07-01")
    first = year(plot, 2021)
    assert first.params["rmse_m"] == 2.0
    assert first.results["registration"] == {
        "rmse_m": 2.0, "assumed": True, "given": False, "measured": [], "unknown": ["2021-07-01.tif"],
    }  # fmt: skip
    published(first, plot)
    measured(plot, now, 1.2)
    edition = year(plot, 2022)
    assert edition.params["rmse_m"] == 2.0  # one pixel of the scene nobody measured
    assert edition.results["registration"]["unknown"] == ["2021-07-01.tif"]
    measured(plot, before, 5.5)
    edition = computed(edition, plot.analyst)
    assert (edition.params["rmse_m"], edition.params["epsilon"]) == (5.5, 11.0)
    assert edition.results["registration"]["assumed"] is False
    rows = build(edition_data(edition, plot.analyst), "en")["T9"].rows
    [row] = [row for row in rows if row.key == "rmse_m"]
    assert "worst measured" in row.cells[-1].text
    given = computed(_with_params(edition, rmse_m=1.0), plot.analyst)
    assert (given.params["rmse_m"], given.results["registration"]["given"]) == (1.0, True)


def _with_params(edition: Any, **given: Any) -> Any:
    edition.params = {**edition.params, "given": given}
    edition.save(update_fields=["params"])
    return edition


def failed(plot: SimpleNamespace, edition: Any) -> tuple[str, str]:
    edition = edition_compute(edition=edition, user=plot.analyst, lock=edition.lock)
    run_job(edition.job_id, worker="test")
    edition.refresh_from_db()
    return edition.job.error_code, str(edition.job.error_values.get("value", ""))


def test_scenes_more_than_three_pixels_off_are_not_compared(plot: SimpleNamespace) -> None:
    before, now = plot.scene("2021-07-01"), plot.scene("2022-07-01", ("open_pit", (400, 400, 500, 500)))
    published(year(plot, 2021), plot)
    assert measured(plot, now, 6.5).state == "rejected"
    edition = year(plot, 2022)
    assert edition.results["registration"]["unknown"] == ["2021-07-01.tif"]
    assert plot.flow_at(edition, 450, 450) == "carried"  # a rejected scene shows nothing
    assert measured(plot, now, 4.5).state == "restricted"
    edition = computed(edition, plot.analyst)
    assert plot.flow_at(edition, 450, 450) == "undecided"
    measured(plot, before, 7.0)
    assert failed(plot, edition) == ("E-GEO-06", "3.5 (2021-07-01.tif)")
    measured(plot, before, None)
    edition.refresh_from_db()
    assert failed(plot, _with_params(edition, rmse_m=7.0)) == ("E-GEO-06", "3.5")


def test_the_state_of_a_scene_follows_its_findings(plot: SimpleNamespace) -> None:
    scene = plot.scene("2022-07-01")
    for rmse, state, severity in (
        (4.0, "ready", None),
        (4.1, "restricted", "warn"),
        (6.1, "rejected", "error"),
        (1.0, "ready", None),
    ):
        row = measured(plot, scene, rmse)
        assert (row.state, row.georef_rmse_m) == (state, rmse)
        assert [one["severity"] for one in row.findings if one["code"] == "E-GEO-06"] == [severity] * bool(severity)
    checks = list(scene.registration_checks.all())
    assert [check.rmse_m for check in checks] == [1.0, 6.1, 4.1, 4.0]
    assert {check.checked_by for check in checks} == {plot.reviewer}
    with pytest.raises(IntegrityError, match="cannot change"), transaction.atomic():
        scene.registration_checks.update(rmse_m=0.1)
    Scene.objects.filter(pk=scene.pk).update(state="rejected", cog_sha256="", georef_rmse_m=9.0)
    again = measured(plot, scene, 1.0)  # rejected before it was prepared: checked once more
    assert (again.state, again.ingest_job.kind) == ("checking", "ingest")
    with pytest.raises(ConflictError):
        measured(plot, scene, 2.0)


def test_who_may_and_what(plot: SimpleNamespace, make_user: Any) -> None:
    scene = plot.scene("2022-07-01")
    for user in (plot.analyst, plot.manager, make_user("reviewer", plot.regions.turpan)):
        with pytest.raises(ForbiddenError):
            measured(plot, scene, 1.0, user=user)
    for rmse in (-1.0, 1001.0, float("nan")):
        with pytest.raises(MineGISError, match="E-GEO-09"):
            measured(plot, scene, rmse)
    with pytest.raises(MineGISError, match="E-EDI-21"):
        measured(plot, scene, 1.0, method=" ")
    with pytest.raises(ConflictError):
        measured(plot, scene, 1.0, seen=3.0)


def test_over_http_and_on_the_page(plot: SimpleNamespace, client_for: Any) -> None:
    scene = plot.scene("2022-07-01")
    url, json = f"/api/v1/scenes/{scene.pk}/registration/", {"content_type": "application/json"}
    body = {"rmse_m": 1.5, "method": "GNSS", "seen": None}
    assert client_for(plot.manager).post(url, body, **json).status_code == 403
    done = client_for(plot.reviewer).post(url, body, **json)
    assert (done.status_code, done.json()["georef_rmse_m"]) == (200, 1.5)
    assert client_for(plot.reviewer).post(url, body, **json).status_code == 409
    [said] = client_for(plot.analyst).get(url).json()
    assert (said["rmse_m"], said["method"], said["checked_by"]) == (1.5, "GNSS", plot.reviewer.username)

    page, form = f"/scenes/{scene.pk}/", f"/scenes/{scene.pk}/registration/"
    assert form not in client_for(plot.manager).get(page).content.decode()
    shown = client_for(plot.reviewer).get(page).content.decode()
    assert form in shown
    assert "1.50 m" in shown
    assert client_for(plot.manager).post(form, {"rmse_m": "1", "method": "x", "seen": "1.5"}).status_code == 403
    client_for(plot.reviewer).post(form, {"rmse_m": "", "method": "重测", "seen": "1.5"})
    scene.refresh_from_db()
    assert scene.georef_rmse_m is None
    assert client_for(plot.reviewer).post(form, {"rmse_m": "x", "method": "x", "seen": ""}).status_code == 422
