"""Observation masks over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import shapely
from rest_framework.test import APIClient

from landdamage.models import ObservationMask
from minegis import units


@pytest.fixture
def client(person: Callable[..., Any]) -> Callable[..., APIClient]:
    def make(role: str = "interpreter", code: str = "652300") -> APIClient:
        made = APIClient()
        made.force_authenticate(person(role, code))
        return made

    return make


def _address(run: Any) -> str:
    return f"/api/v1/scenes/{run.scene_id}/observation/"


def _hole(run: Any, share: float = 0.2) -> dict[str, Any]:
    middle = shapely.from_wkb(bytes(run.scene.footprint.centroid.wkb))
    west, south, east, north = run.scene.footprint.extent
    return shapely.geometry.mapping(
        shapely.box(
            middle.x - share * (east - west) / 2,
            middle.y - share * (north - south) / 2,
            middle.x + share * (east - west) / 2,
            middle.y + share * (north - south) / 2,
        )
    )


def test_a_mask_is_read_corrected_and_found_again(client: Callable[..., APIClient], interpreted: Any) -> None:
    api = client()
    first = api.get(_address(interpreted)).json()
    assert first["type"] == "Feature"
    assert (first["properties"]["method"], first["properties"]["unobserved_share"]) == ("automatic", 0.0)
    answer = api.put(_address(interpreted), {"unobserved": _hole(interpreted), "lock": 1}, format="json")
    assert answer.status_code == 200
    body = answer.json()["properties"]
    assert (body["method"], body["lock"], body["edited_by"]) == ("manual", 2, "interpreter-652300")
    assert body["unobserved_share"] == pytest.approx(0.04, abs=1e-4)
    seen = shapely.geometry.shape(answer.json()["geometry"])
    assert units.area_m2(seen) == pytest.approx(
        units.area_m2(shapely.from_wkb(bytes(interpreted.scene.footprint.wkb))) * 0.96, rel=1e-4
    )
    assert (
        api.put(_address(interpreted), {"geometry": answer.json()["geometry"], "lock": 2}, format="json").status_code
        == 200
    )
    again = api.delete(f"{_address(interpreted)}?lock=3")
    assert (again.status_code, again.json()["properties"]["method"]) == (200, "automatic")


def test_an_old_revision_is_a_conflict(client: Callable[..., APIClient], interpreted: Any) -> None:
    api = client()
    for expected in (200, 409):
        answer = api.put(_address(interpreted), {"unobserved": _hole(interpreted), "lock": 1}, format="json")
        assert answer.status_code == expected
    assert answer.json()["code"] == "E-API-06"
    assert api.delete(f"{_address(interpreted)}?lock=1").json()["code"] == "E-API-06"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"lock": 1},
        {"lock": 1, "unobserved": "a cloud"},
        {
            "lock": 1,
            "unobserved": {"type": "Polygon", "coordinates": []},
            "geometry": {"type": "Polygon", "coordinates": []},
        },
        {"unobserved": {"type": "Polygon", "coordinates": []}},
    ],
)
def test_a_faulty_body_is_refused(client: Callable[..., APIClient], interpreted: Any, body: dict[str, Any]) -> None:
    answer = client().put(_address(interpreted), body, format="json")
    assert (answer.status_code, answer.json()["code"]) == (400, "E-API-01")
    assert not ObservationMask.objects.exists()


def test_reading_is_for_those_who_see_the_scene_and_writing_for_few(
    client: Callable[..., APIClient], interpreted: Any
) -> None:
    change = {"unobserved": _hole(interpreted), "lock": 1}
    analyst, stranger = client("analyst"), client("interpreter", "654000")
    assert analyst.get(_address(interpreted)).status_code == 200
    assert analyst.put(_address(interpreted), change, format="json").status_code == 403
    assert analyst.delete(f"{_address(interpreted)}?lock=1").status_code == 403
    for answer in (
        stranger.get(_address(interpreted)),
        stranger.put(_address(interpreted), change, format="json"),
        stranger.delete(f"{_address(interpreted)}?lock=1"),
    ):
        assert answer.status_code == 404
    assert APIClient().get(_address(interpreted)).status_code == 401
    assert ObservationMask.objects.get().lock == 1
