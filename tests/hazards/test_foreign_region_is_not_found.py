"""Who reaches what through the platform's API: every role, inside and outside its region, by object and verb.

The expectations are written out here, not read from the permission table they check.
"""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from django.contrib.gis.geos import MultiPolygon, Polygon

from minegis.access.roles import Role
from minegis.jobs.models import Job
from minegis.jobs.services import job_submit
from minegis.registry.models import SRID, Mine
from minegis.registry.services import mine_create

pytestmark = pytest.mark.django_db
ROLES = [role.value for role in Role]
REGISTER = {"interpreter", "reviewer", "analyst", "manager", "admin", "viewer"}
JOBS = {"interpreter", "reviewer", "manager", "admin"}
# (verb, object) -> roles of the region that get through; others of the region that may see the object get 403.
TABLE = {
    ("get", "region"): (set(ROLES), set(ROLES)),
    ("get", "mine"): (REGISTER, REGISTER),
    ("get", "job"): (JOBS, JOBS),
    ("post", "job/cancel"): ({"interpreter", "reviewer", "admin"}, JOBS),
    ("post", "failed job/retry"): ({"interpreter", "reviewer"}, JOBS),
    ("get", "upload"): (set(), set()),
    ("delete", "upload"): (set(), set()),
}


@pytest.fixture
def world(regions, make_user, client_for) -> SimpleNamespace:
    """A mine, two jobs and an upload in Fukang county, all of somebody else's."""
    boundary = MultiPolygon(Polygon.from_bbox((87.0, 43.0, 87.02, 43.02)), srid=SRID)
    mine = mine_create(
        code="M1", name_zh="甲矿", mineral_kind="coal", mining_method="open_pit", boundary=boundary, licence_no="C1"
    )
    owner = make_user("uploader", regions.fukang)
    jobs = [job_submit(kind="echo", params={}, created_by=owner, region=regions.fukang) for _ in range(2)]
    Job.objects.filter(pk=jobs[1].pk).update(state="failed", error_code="E-JOB-06")
    created = client_for(owner).generic(
        "POST", "/api/v1/uploads/", headers={"Tus-Resumable": "1.0.0", "Upload-Length": "5"}
    )
    return SimpleNamespace(
        region=f"/api/v1/regions/{regions.fukang.pk}/",
        mine=f"/api/v1/mines/{mine.pk}/",
        job=f"/api/v1/jobs/{jobs[0].pk}/",
        failed_job=f"/api/v1/jobs/{jobs[1].pk}/",
        upload=created["Location"],
        owner=owner,
    )


def ask(client, world, verb: str, target: str) -> int:
    name, _, rest = target.partition("/")
    url = getattr(world, name.replace(" ", "_")) + (f"{rest}/" if rest else "")
    return getattr(client, verb)(url, headers={"Tus-Resumable": "1.0.0"}).status_code


@pytest.mark.parametrize("place", ["fukang", "changji", "everywhere"])
@pytest.mark.parametrize("role", ROLES)
def test_inside_the_region(role, place, world, regions, make_user, client_for):
    client = client_for(make_user(role, getattr(regions, place, None)))
    for (verb, target), (may, sees) in TABLE.items():
        expected = 200 if role in may else 403 if role in sees else 404
        assert ask(client, world, verb, target) == expected, (verb, target)


@pytest.mark.parametrize("place", ["turpan", "jimsar"])
@pytest.mark.parametrize("role", ROLES)
def test_outside_the_region(role, place, world, regions, make_user, client_for):
    client = client_for(make_user(role, getattr(regions, place)))
    for verb, target in TABLE:
        assert ask(client, world, verb, target) == 404, (verb, target)
    for name in ("mines", "jobs", "uploads"):
        assert client.get(f"/api/v1/{name}/").json()["count"] == 0
    assert client.get("/api/v1/mines/geojson/").json()["features"] == []


def test_without_a_membership_there_is_nothing(world, make_user, client_for):
    client = client_for(make_user())
    for verb, target in TABLE:
        assert ask(client, world, verb, target) == 404, (verb, target)


def test_without_signing_in_everything_says_401(world, client_for):
    client = client_for(None)
    for verb, target in TABLE:
        assert ask(client, world, verb, target) == 401, (verb, target)
    for name in ("me", "mines", "mines/geojson", "regions", "regions/geojson", "jobs", "uploads"):
        assert client.get(f"/api/v1/{name}/").status_code == 401, name


def test_an_account_switched_off_is_out(world, make_user, client_for, regions, token_for):
    user = make_user("manager", regions.changji)
    token = token_for(user)
    client = client_for(user)
    assert ask(client, world, "get", "mine") == 200
    user.is_active = False
    user.save()
    assert ask(client, world, "get", "mine") == 401
    assert client_for(None).get("/api/v1/mines/", headers={"Authorization": token}).status_code == 401


def test_owners_reach_their_own(world, client_for):
    client = client_for(world.owner)
    assert ask(client, world, "get", "job") == 200
    assert ask(client, world, "get", "upload") == 200
    assert ask(client, world, "post", "job/cancel") == 200
    assert ask(client, world, "delete", "upload") == 204


@pytest.mark.parametrize("role", ROLES)
def test_who_may_upload(role, regions, make_user, client_for):
    client = client_for(make_user(role, regions.fukang))
    headers = {"Tus-Resumable": "1.0.0", "Upload-Length": "5"}
    expected = 201 if role in {"uploader", "interpreter", "reviewer"} else 403
    assert client.generic("POST", "/api/v1/uploads/", headers=headers).status_code == expected
    foreign = headers | {"Upload-Metadata": "region NjUwNDAw"}  # 650400, Turpan
    expected = 404 if expected == 201 else 403
    assert client.generic("POST", "/api/v1/uploads/", headers=foreign).status_code == expected


def test_the_licence_number_is_not_for_viewers(world, regions, make_user, client_for):
    for role, shown in {"interpreter": "C1", "manager": "C1", "viewer": None}.items():
        assert client_for(make_user(role, regions.fukang)).get(world.mine).json()["licence_no"] == shown
    assert Mine.objects.get().licence_no == "C1"
