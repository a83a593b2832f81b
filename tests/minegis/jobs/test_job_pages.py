"""The page of long work: live rows, cancel, retry, and the news of ended jobs."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from minegis.jobs.models import Job

pytestmark = pytest.mark.django_db


def _job(user: Any, **fields: Any) -> Job:
    return Job.objects.create(**({"kind": "ingest", "queue": "cpu", "created_by": user, "title": "a.tif"} | fields))


def _english(client: Any, path: str) -> str:
    response = client.get(path, headers={"Accept-Language": "en"})
    assert response.status_code == 200
    return response.content.decode()


def test_rows_show_stage_in_words_and_the_remedy_of_a_failure(make_user: Any, client_for: Any) -> None:
    user = make_user("uploader")
    _job(user, stage="cog", progress=0.25)
    _job(user, kind="interpret", state="failed", error_code="E-MOD-04", error_values={"value": "N"})
    page = _english(client_for(user), "/jobs/")
    for words in ("building overviews", "25 %", "every 2s", "lacks band N", "Choose another model", "Retry", "Cancel"):
        assert words in page


def test_filter_and_foreign_jobs(make_user: Any, client_for: Any, regions: Any) -> None:
    mine, other = make_user("interpreter", regions.fukang), make_user("interpreter", regions.turpan)
    _job(mine, title="mine.tif", region=regions.fukang, state="succeeded")
    _job(other, title="foreign.tif", region=regions.turpan)
    page = _english(client_for(mine), "/jobs/?state=succeeded&own=1")
    assert "mine.tif" in page
    assert "foreign.tif" not in _english(client_for(mine), "/jobs/")
    assert "No jobs here" in _english(client_for(mine), "/jobs/?state=failed")


def test_cancel_and_retry_with_and_without_scripts(make_user: Any, client_for: Any) -> None:
    user = make_user("uploader")
    client, job = client_for(user), _job(user, kind="patient")
    answer = client.post(f"/jobs/{job.pk}/cancel/", headers={"HX-Request": "true"})
    assert answer.status_code == 204
    assert json.loads(answer["HX-Trigger"]) == {"jobs-changed": {}}
    job.refresh_from_db()
    assert job.state == "cancelled"
    assert client.post(f"/jobs/{job.pk}/retry/")["Location"] == "/jobs/"
    job.refresh_from_db()
    assert job.state == "queued"


def test_colleagues_without_the_right_may_look_but_not_cancel(make_user: Any, client_for: Any, regions: Any) -> None:
    owner, manager = make_user("interpreter", regions.fukang), make_user("manager", regions.fukang)
    job = _job(owner, region=regions.fukang)
    client = client_for(manager)
    assert f"cancel-{job.pk}" not in _english(client, "/jobs/")
    assert client.post(f"/jobs/{job.pk}/cancel/").status_code == 403
    assert client_for(make_user("interpreter", regions.turpan)).post(f"/jobs/{job.pk}/cancel/").status_code == 404


def test_the_end_of_a_job_is_told_once(make_user: Any, client_for: Any) -> None:
    user = make_user("uploader")
    client = client_for(user)
    assert "HX-Trigger" not in client.get("/jobs/news/")  # what ended before the first look is no news
    now = timezone.now()
    _job(user, state="succeeded", finished_at=now)
    _job(user, state="failed", finished_at=now, kind="interpret")
    told = json.loads(client.get("/jobs/news/", headers={"Accept-Language": "en"})["HX-Trigger"])["jobs-ended"]["jobs"]
    assert {one["text"] for one in told} == {"Check and prepare finished: a.tif", "Interpretation failed: a.tif"}
    assert {one["tone"] for one in told} == {"success", "danger"}
    assert "HX-Trigger" not in client.get("/jobs/news/")


def test_count_of_jobs_under_way(make_user: Any, client_for: Any) -> None:
    user = make_user("uploader")
    assert "hidden" in client_for(user).get("/jobs/news/").content.decode()
    _job(user)
    assert ">1</span>" in client_for(user).get("/jobs/news/").content.decode()


def test_time_left_is_estimated_from_the_share_done(make_user: Any, client_for: Any) -> None:
    import uuid

    user = make_user("uploader")
    running = {"state": "running", "attempt_id": uuid.uuid4(), "lease_until": timezone.now() + timedelta(minutes=5)}
    _job(user, progress=0.5, started_at=timezone.now() - timedelta(minutes=2), **running)
    assert "about 2 min 0" in _english(client_for(user), "/jobs/")


def test_the_pace_of_an_interpretation_is_shown(make_user: Any, client_for: Any) -> None:
    import uuid

    user = make_user("uploader")
    running = {"state": "running", "attempt_id": uuid.uuid4(), "lease_until": timezone.now() + timedelta(minutes=5)}
    pace = {"km2": 268.4, "km2_done": 100.0, "km2_per_s": 0.412, "seconds_left": 409, "workers": 3}
    job = _job(user, stage="network", progress=0.3, started_at=timezone.now(), pace=pace, **running)
    page = _english(client_for(user), "/jobs/")
    assert "0.412 km²/s · 3 workers" in page
    assert "about 6 min 49 s left" in page
    assert client_for(user).get(f"/api/v1/jobs/{job.pk}/").json()["pace"] == pace
