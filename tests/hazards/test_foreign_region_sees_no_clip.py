"""Hazard: a clip, its pictures, its results or pinned frames leak to somebody of another region or too small a role."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.test import APIClient

pytestmark = pytest.mark.django_db
PLACES = (
    "/api/v1/clips/{clip}/",
    "/api/v1/clips/{clip}/thumbnail/",
    "/api/v1/clips/{clip}/play/",
    "/api/v1/clips/{clip}/original/",
    "/api/v1/enhancements/{enhancement}/",
    "/api/v1/enhancements/{enhancement}/result/",
    "/api/v1/enhancements/{enhancement}/result/?download=1",
    "/api/v1/evidence-frames/{frame}/",
    "/api/v1/evidence-frames/{frame}/image/",
    "/video/clips/{clip}/",
)
# Every place above, in order: what each role of the clip's own region gets.
EXPECTED = {
    "uploader": (404,) * 10,  # somebody else's clip
    "interpreter": (200,) * 10,
    "reviewer": (200,) * 10,
    "manager": (200,) * 10,
    "analyst": (200, 200, 200, 403, 200, 200, 403, 200, 200, 200),
    "admin": (200, 403, 403, 403, 200, 403, 403, 200, 403, 200),
    "viewer": (404,) * 10,
    "auditor": (404,) * 10,
}


def test_role_by_place_and_nothing_elsewhere(enhanced: Any, make_user: Any, regions: Any, client_for: Any) -> None:
    from enhancement.services.frames import frame_pin

    frame = frame_pin(clip=enhanced.clip, enhancement=enhanced.enhancement, user=enhanced.user, mine=enhanced.mine)
    places = [p.format(clip=enhanced.clip.pk, enhancement=enhanced.enhancement.pk, frame=frame.pk) for p in PLACES]
    for role, expected in EXPECTED.items():
        here = client_for(make_user(role, regions.fukang))
        assert tuple(here.get(place).status_code for place in places) == expected, role
        stranger = client_for(make_user(role, regions.turpan))
        assert {stranger.get(place).status_code for place in places} == {404}, role
        for listing in ("clips", "enhancements", "evidence-frames", "cameras"):
            assert stranger.get(f"/api/v1/{listing}/").json()["count"] == 0, role
        for page in ("/video/", "/video/queue/", "/video/frames/", "/video/cameras/"):
            text = stranger.get(page).content.decode()
            assert "pit-east" not in text, role
            assert "CAM-1" not in text, role
    assert {APIClient().get(place).status_code for place in places if place.startswith("/api")} == {401}


def test_a_stranger_starts_and_pins_nothing(enhanced: Any, make_user: Any, regions: Any) -> None:
    api = APIClient()
    api.force_authenticate(make_user("reviewer", regions.turpan))
    clip = str(enhanced.clip.pk)
    assert api.post("/api/v1/enhancements/", {"clip": clip, "preset": "report"}, format="json").status_code == 404
    assert api.post("/api/v1/evidence-frames/", {"clip": clip, "mine": "M-1"}, format="json").status_code == 404
    assert api.post(f"/api/v1/clips/{clip}/preview/", {}, format="json").status_code == 404
    assert api.delete(f"/api/v1/clips/{clip}/").status_code == 404
