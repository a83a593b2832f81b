"""Hazard: somebody who may see an image reads the areas found on it, though their role may not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from minegis import units


def test_the_uploader_sees_the_classes_of_their_scene_without_figures(
    interpreted: Any, person: Callable[..., Any], client_for: Callable[..., Any]
) -> None:
    uploader = person("uploader")
    interpreted.scene.uploader = uploader
    interpreted.scene.save()
    area = str(units.to_hm2(interpreted.patches.get(class_code="vegetation").area_cm2))
    page = f"/scenes/{interpreted.scene_id}/"
    theirs = client_for(uploader).get(page).content.decode()
    assert 'data-class="7"' in theirs
    assert area not in theirs
    assert area in client_for(person("reviewer")).get(page).content.decode()
