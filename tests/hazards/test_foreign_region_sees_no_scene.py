"""Hazard: a scene, its tiles, patches or figures leak to somebody of another region or of too small a role."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

PLACES = (
    "/api/v1/scenes/{scene}/",
    "/api/v1/scenes/{scene}/thumbnail/",
    "/api/v1/scenes/{scene}/footprint/",
    "/api/v1/scenes/{scene}/tiles/16/48600/24000.webp",
    "/api/v1/runs/{run}/",
    "/api/v1/runs/{run}/areas/",
    "/api/v1/runs/{run}/patches/",
    "/api/v1/runs/{run}/export/",
    "/api/v1/runs/{run}/tiles/16/48600/24000.png",
    "/api/v1/patches/{patch}/",
)
# Every place above, in order: what each role of the scene's own region gets.
EXPECTED = {
    "uploader": (404,) * 10,  # somebody else's scene
    "interpreter": (200,) * 10,
    "reviewer": (200,) * 10,
    "manager": (200,) * 10,
    "analyst": (200, 200, 200, 200, 200, 200, 200, 403, 200, 200),
    "viewer": (200, 200, 200, 403, 200, 403, 403, 403, 403, 404),
    "admin": (200, 403, 200, 403, 200, 403, 403, 403, 403, 404),
    "auditor": (404,) * 10,
}


def addresses(run: Any) -> list[str]:
    patch = run.patches.first().pk
    return [place.format(scene=run.scene_id, run=run.pk, patch=patch) for place in PLACES]


def client(user: Any) -> APIClient:
    made = APIClient()
    made.force_authenticate(user)
    return made


@pytest.mark.parametrize("role", sorted(EXPECTED))
def test_role_by_place(role: str, person: Callable[..., Any], interpreted: Any) -> None:
    reader = client(person(role))
    found = tuple(reader.get(address).status_code for address in addresses(interpreted))
    assert found == EXPECTED[role]


@pytest.mark.parametrize("role", sorted(EXPECTED))
def test_another_region_finds_nothing(role: str, person: Callable[..., Any], interpreted: Any) -> None:
    stranger = client(person(role, "650100"))
    assert {stranger.get(address).status_code for address in addresses(interpreted)} == {404}
    for listing in ("scenes", "runs", "patches"):
        assert stranger.get(f"/api/v1/{listing}/").json()["count"] == 0


def test_nobody_without_signing_in(interpreted: Any) -> None:
    assert {APIClient().get(address).status_code for address in addresses(interpreted)} == {401}
