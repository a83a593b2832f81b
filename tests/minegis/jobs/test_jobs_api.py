"""Jobs over the API: what is shown, filtered, cancelled and queued again."""

from __future__ import annotations

import pytest

from minegis.jobs.models import Job
from minegis.jobs.services import job_submit

pytestmark = pytest.mark.django_db
URL = "/api/v1/jobs/"


@pytest.fixture
def user(make_user, regions):
    return make_user("interpreter", regions.changji)


@pytest.fixture
def jobs(user, regions):
    """One queued, one failed, both of the user; one running of somebody else in the region."""
    mine = [job_submit(kind=kind, params={}, created_by=user, title=kind) for kind in ("echo", "coded")]
    Job.objects.filter(pk=mine[1].pk).update(state="failed", error_code="E-FMT-01", error_values={"value": "JPEG"})
    other = job_submit(kind="echo", params={}, created_by=None, region=regions.fukang, title="other")
    return [*mine, other]


def titles(client, query: str) -> set[str]:
    return {row["title"] for row in client.get(f"{URL}?{query}").json()["results"]}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", {"echo", "coded", "other"}),
        ("state=failed", {"coded"}),
        ("state=failed&state=queued", {"echo", "coded", "other"}),
        ("kind=coded", {"coded"}),
        ("own=true", {"echo", "coded"}),
        ("created_after=2100-01-01T00:00:00Z", set()),
    ],
)
def test_filters(jobs, user, client_for, query, found):
    assert titles(client_for(user), query) == found


def test_a_failed_job_says_why_in_both_languages(jobs, user, client_for):
    shown = client_for(user).get(f"{URL}{jobs[1].pk}/").json()
    assert shown["error"]["code"] == "E-FMT-01"
    assert "JPEG" in shown["error"]["message_zh"]
    assert "JPEG" in shown["error"]["message_en"]
    assert (shown["can_cancel"], shown["can_retry"]) == (False, True)


def test_cancel_and_retry(jobs, user, client_for):
    client = client_for(user)
    cancelled = client.post(f"{URL}{jobs[0].pk}/cancel/").json()
    assert (cancelled["state"], cancelled["can_cancel"], cancelled["can_retry"]) == ("cancelled", False, True)
    again = client.post(f"{URL}{jobs[0].pk}/cancel/")
    assert (again.status_code, again.json()["code"]) == (409, "E-JOB-01")
    queued = client.post(f"{URL}{jobs[0].pk}/retry/").json()
    assert (queued["state"], queued["attempts"], queued["error"]) == ("queued", 0, None)


def test_a_job_cannot_be_made_or_changed_over_the_api(jobs, user, client_for):
    client = client_for(user)
    assert client.post(URL, {}).status_code == 405
    assert client.delete(f"{URL}{jobs[0].pk}/").status_code == 405
    assert client.patch(f"{URL}{jobs[0].pk}/", {}, content_type="application/json").status_code == 405


def test_the_list_costs_the_same_however_long_it_is(user, regions, client_for, django_assert_max_num_queries):
    for _ in range(30):
        job_submit(kind="echo", params={}, created_by=user, region=regions.fukang)
    client = client_for(user)
    with django_assert_max_num_queries(6):
        assert client.get(URL).json()["count"] == 30
