"""Check samples: blind labels by two people, settlement, and areas whose interval holds the truth."""

from __future__ import annotations

import importlib

import numpy as np
import pytest
import shapely
from django.apps import apps
from django.contrib.gis.geos import GEOSGeometry, MultiPolygon

from landdamage.models import ChangeCell, CheckPoint, CheckSample, Edition
from landdamage.services import sampling
from minegis.errors import ForbiddenError, MineGISError
from minegis.registry.models import SRID
from minegis.units import area_cm2

pytestmark = pytest.mark.django_db


def square(i: int, j: int) -> shapely.Polygon:
    return shapely.box(87 + i * 1e-3, 43 + j * 1e-3, 87.001 + i * 1e-3, 43.001 + j * 1e-3)


@pytest.fixture
def edition(regions):
    """20 x 20 cells: 40 newly damaged on the map, 4 of them wrongly; 5 more that the map missed."""
    edition = Edition.objects.create(region=regions.fukang, year=2023, version=1)
    cells = []
    for i in range(20):
        for j in range(20):
            new = i < 2
            shape = square(i, j)
            cells.append(
                ChangeCell(
                    edition=edition,
                    region=regions.fukang,
                    geom=MultiPolygon(GEOSGeometry(memoryview(shapely.to_wkb(shape))), srid=SRID),
                    area_cm2=area_cm2(shape),
                    prev_state="vegetation",
                    obs_state="open_pit" if new else "vegetation",
                    new_state="open_pit" if new else "vegetation",
                    flow="new" if new else "plain",
                )
            )
    ChangeCell.objects.bulk_create(cells)
    return edition


def truth_at(point: CheckPoint) -> str:
    i, j = int((point.geom.x - 87) / 1e-3), int((point.geom.y - 43) / 1e-3)
    damaged = (i < 2 and not (i == 0 and j < 4)) or (i == 10 and j < 5)
    return "none>exc" if damaged else "none>none"


def test_the_printed_interval_covers_the_truth(edition, make_user):
    planner = make_user("analyst", edition.region)
    first, second = (make_user("interpreter", edition.region) for _ in range(2))
    sample = sampling.sample_draw(edition=edition, user=planner, total=300, seed=11)
    for point in sample.points.select_related("sample__edition__region"):
        sampling.point_label(point=point, user=first, label=truth_at(point))
        sampling.point_label(point=point, user=second, label=truth_at(point))
    sample.refresh_from_db()
    new, low, high, mapped = sample.results["kinds"]["exc"]["new_cm2"]
    one = area_cm2(square(0, 0))
    true_area = 41 * one
    assert mapped == pytest.approx(40 * one, rel=1e-3)
    assert low <= true_area <= high
    assert low < new < high < 2 * true_area
    assert sample.results["agreement"] == 1.0


def test_labellers_are_two_and_blind(edition, make_user, client_for):
    people = [make_user("interpreter", edition.region) for _ in range(3)]
    sample = sampling.sample_draw(edition=edition, user=make_user("analyst", edition.region), total=60, seed=1)
    point = sample.points.first()
    sampling.point_label(point=point, user=people[0], label="none>exc")
    seen = client_for(people[1]).get(f"/api/v1/check-points/{point.pk}/").json()
    assert seen["own_label"] == ""
    assert "none>exc" not in str(seen)
    assert "stratum" not in seen
    sampling.point_label(point=point, user=people[0], label="none>none")  # one's own may be corrected
    sampling.point_label(point=point, user=people[1], label="none>exc")
    with pytest.raises(MineGISError, match=r"E-SAM-0[45]"):
        sampling.point_label(point=point, user=people[2], label="none>exc")
    point.refresh_from_db()
    assert point.agreed_label == ""


def test_a_disagreement_is_settled_once_by_a_reviewer(edition, make_user):
    people = [make_user("interpreter", edition.region) for _ in range(2)]
    reviewer = make_user("reviewer", edition.region)
    sample = sampling.sample_draw(edition=edition, user=reviewer, total=60, seed=1)
    point = sample.points.first()
    with pytest.raises(MineGISError, match=r"E-SAM-0[45]"):
        sampling.point_settle(point=point, user=reviewer, label="none>exc")
    for person, label in zip(people, ("none>exc", "none>none"), strict=True):
        sampling.point_label(point=point, user=person, label=label)
    with pytest.raises(ForbiddenError):
        sampling.point_settle(point=point, user=people[0], label="none>exc")
    settled = sampling.point_settle(point=point, user=reviewer, label="none>exc")
    assert (settled.agreed_label, settled.agreed_by) == ("none>exc", reviewer)
    with pytest.raises(MineGISError, match=r"E-SAM-0[45]"):
        sampling.point_label(point=point, user=people[0], label="none>exc")


@pytest.mark.parametrize(
    ("role", "verb", "path", "status"),
    [
        ("analyst", "post", "/api/v1/samples/", 201),
        ("reviewer", "post", "/api/v1/samples/", 201),
        ("interpreter", "post", "/api/v1/samples/", 403),
        ("viewer", "get", "/api/v1/samples/", 200),
        ("uploader", "get", "/api/v1/check-points/", 403),
        ("interpreter", "get", "/api/v1/check-points/", 200),
    ],
)
def test_who_may(edition, make_user, client_for, role, verb, path, status):
    client = client_for(make_user(role, edition.region))
    body = {"edition": str(edition.pk), "points": 60}
    answer = client.get(path) if verb == "get" else client.post(path, body, content_type="application/json")
    assert answer.status_code == status, answer.content
    if verb == "post" and status == 201:
        assert answer.json()["strata"]


def test_nobody_settles_their_own_dispute(edition, make_user):
    reviewer, other = make_user("reviewer", edition.region), make_user("interpreter", edition.region)
    point = sampling.sample_draw(edition=edition, user=reviewer, total=60).points.first()
    sampling.point_label(point=point, user=reviewer, label="none>exc")
    sampling.point_label(point=point, user=other, label="none>none")
    with pytest.raises(MineGISError, match="E-SAM-06"):
        sampling.point_settle(point=point, user=reviewer, label="none>exc")


def test_a_foreign_region_sees_no_sample(edition, make_user, client_for, regions):
    sample = sampling.sample_draw(edition=edition, user=make_user("analyst", edition.region), total=60)
    stranger = client_for(make_user("reviewer", regions.turpan))
    assert stranger.get(f"/api/v1/samples/{sample.pk}/").status_code == 404
    point = sample.points.first()
    answer = stranger.post(f"/api/v1/check-points/{point.pk}/label/", {"label": "none>exc"}, "application/json")
    assert answer.status_code == 404


def test_what_cannot_be_is_refused_with_a_code(edition, make_user, regions):
    analyst = make_user("analyst", edition.region)
    for total in (1, 10**6):
        with pytest.raises(MineGISError, match="E-SAM-02"):
            sampling.sample_draw(edition=edition, user=analyst, total=total)
    empty = Edition.objects.create(region=regions.fukang, year=2022, version=1)
    with pytest.raises(MineGISError, match="E-SAM-01"):
        sampling.sample_draw(edition=empty, user=analyst)
    point = sampling.sample_draw(edition=edition, user=analyst, total=60).points.first()
    with pytest.raises(MineGISError, match="E-SAM-03"):
        sampling.point_label(point=point, user=make_user("interpreter", edition.region), label="pit")


def test_points_of_a_seed_are_the_same_again(edition, make_user):
    analyst = make_user("analyst", edition.region)
    one, two = (sampling.sample_draw(edition=edition, user=analyst, total=60, seed=3) for _ in range(2))
    places = [np.array([p.geom.coords for p in sample.points.all()]) for sample in (one, two)]
    assert (places[0] == places[1]).all()


def test_results_of_before_are_measured_again(edition, make_user):
    people = [make_user("interpreter", edition.region) for _ in range(2)]
    sample = sampling.sample_draw(edition=edition, user=make_user("analyst", edition.region), total=60, seed=2)
    for point in sample.points.select_related("sample__edition__region"):
        for person in people:
            sampling.point_label(point=point, user=person, label=truth_at(point))
    sample.refresh_from_db()
    wanted = sample.results
    assert len(wanted["kinds"]["exc"]["new_cm2"]) == 4
    CheckSample.objects.update(results={"kinds": {"exc": {"new_cm2": [1, 2, 3]}}, "overall_ci": 0.1})
    migration = importlib.import_module("landdamage.migrations.0011_limits_of_samples")
    migration.measure_again(apps, None)
    sample.refresh_from_db()
    assert sample.results == wanted
