"""Models ▸ Labels: list, form, desk, in both languages; what each role gets."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from django.urls import reverse

from landdamage.models import LabelPlate
from landdamage.services.labelling import labels_say

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")]
LIST, MAKE = "/models/labels/", "/models/labels/make/"


@pytest.fixture
def speaking(client_for: Callable[..., Any]) -> Callable[..., Any]:
    def make(user: Any, language: str = "en") -> Any:
        client = client_for(user)
        client.cookies["django_language"] = language
        return client

    return make


def test_from_the_form_to_the_desk(
    mined: SimpleNamespace, speaking: Callable[..., Any], work_off: Callable[[], None]
) -> None:
    client, scene = speaking(mined.interpreter), mined.scenes[0]
    assert "Nothing to label yet" in client.get(LIST).content.decode()
    wish = {"scene": str(scene.pk), "window": "64", "side_px": "12"}
    refused = client.post(MAKE, wish | {"at": "10, 10"}).content.decode()
    assert "E-LAB-06" in refused
    assert 'value="10, 10"' in refused
    assert "E-LAB-06" in client.post(MAKE, wish | {"at": "here"}).content.decode()
    west, south, east, north = scene.footprint.extent
    answer = client.post(MAKE, wish | {"at": f"{(west + east) / 2}，{(south + north) / 2}"})
    plate = LabelPlate.objects.get()
    assert answer["Location"] == reverse("label-plate", args=[plate.pk])
    assert "every 2s" in client.get(answer["Location"]).content.decode()
    assert "every 2s" in client.get(LIST, headers={"HX-Request": "true"}).content.decode()
    work_off()
    told = client.get(answer["Location"], headers={"HX-Request": "true"})
    assert (told.status_code, told["HX-Refresh"]) == (204, "true")
    plate.refresh_from_db()
    labels_say(plate=plate, user=mined.interpreter, version=0, labels=[(n + 1, 7) for n in range(len(plate.pixels))])
    page = client.get(answer["Location"]).content.decode()
    data = json.loads(re.search(r'id="plate-data"[^>]*>(.*?)</script>', page)[1])
    assert sum(data["pixels"]) == 64 * 64
    assert data["bounds"][0] < data["bounds"][2]
    assert "the pieces come row by row" in page
    assert "100 %" in client.get(LIST).content.decode()
    zh = speaking(mined.reviewer, "zh-hans")
    assert "不确定" in zh.get(answer["Location"]).content.decode()
    assert "您已标注" in zh.get(LIST).content.decode()
    assert f"?scene={scene.pk}" in client.get(f"/scenes/{scene.pk}/").content.decode()
    assert "New set from labels on superpixels" in client.get("/models/samples/").content.decode()


def test_a_failed_plate_says_why(
    mined: SimpleNamespace, speaking: Callable[..., Any], work_off: Callable[[], None]
) -> None:
    from landdamage.services.files import file_path
    from landdamage.services.labelling import plate_request

    plate = plate_request(scene=mined.scenes[0], user=mined.interpreter, window=64, side_px=12)
    file_path(plate.scene.cog_sha256).unlink()
    work_off()
    page = speaking(mined.interpreter).get(reverse("label-plate", args=[plate.pk])).content.decode()
    assert "could not be cut" in page
    assert "every 2s" not in page


def test_roles(mined: SimpleNamespace, make_user: Callable[..., Any], speaking: Callable[..., Any]) -> None:
    from landdamage.services.labelling import plate_request

    plate = plate_request(scene=mined.scenes[0], user=mined.interpreter, window=64, side_px=12)
    desk = reverse("label-plate", args=[plate.pk])
    for role in ("analyst", "manager", "viewer", "uploader"):
        client = speaking(make_user(role, mined.regions.changji))
        assert client.get(LIST).status_code == 403, role
        assert client.get(desk).status_code == 403, role
        assert client.post(MAKE, {"scene": str(mined.scenes[0].pk)}).status_code == 403, role
    stranger = speaking(mined.stranger)
    assert stranger.get(desk).status_code == 404
    assert stranger.post(MAKE, {"scene": str(mined.scenes[0].pk)}).status_code == 404
    assert speaking(mined.interpreter).post(MAKE, {"scene": "x"}).status_code == 404
