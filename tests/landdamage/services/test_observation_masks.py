"""Observation masks: written at ingest, found on demand, corrected by hand, refused where they must be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import shapely
from rasterio.transform import from_origin

from landdamage.imagery.clouds import ObservedGround
from landdamage.models import ObservationMask, Scene
from landdamage.services.files import files
from landdamage.services.observation import (
    mask_reset,
    mask_update,
    observation_findings,
    observation_of,
    observed_without,
)
from minegis import units
from minegis.errors import ConflictError, ForbiddenError, ObservationError
from tests.fixtures.interpreted import EAST, NORTH, SIDE

pytestmark = pytest.mark.django_db


def _ground(left: float, right: float) -> Any:
    """A strip of the interpreted scene between two shares of its width, EPSG:4490."""
    width = 2 * SIDE
    return units.reproject(shapely.box(EAST + left * width, NORTH - width, EAST + right * width, NORTH), 4538)


def _area(geometry: Any) -> float:
    return units.area_m2(shapely.from_wkb(bytes(geometry.wkb)))


def test_a_scene_of_before_gets_its_mask_once(interpreted: Any) -> None:
    scene = interpreted.scene
    mask = observation_of(scene)
    assert mask.method == "automatic"
    assert mask.params["bands"] == ["B", "G", "N", "R"]
    assert _area(mask.geom) == pytest.approx(_area(scene.footprint), rel=1e-6)  # no cloud in it
    assert observation_of(scene).updated_at == mask.updated_at
    assert ObservationMask.objects.count() == 1


def test_one_band_is_taken_as_it_comes_and_says_so(interpreted: Any, tmp_path: Path) -> None:
    scene = interpreted.scene
    path = tmp_path / "pan.tif"
    layout = {"driver": "GTiff", "width": 64, "height": 64, "count": 1, "dtype": "uint16", "crs": "EPSG:4538"}
    with rasterio.open(path, "w", transform=from_origin(EAST, NORTH, 4, 4), **layout) as target:
        target.write(np.full((1, 64, 64), 800, np.uint16))
    scene.cog_sha256 = files().put(path).sha256
    scene.save()
    mask = observation_of(scene)
    assert (mask.method, mask.params["reason"]) == ("footprint", "bands")
    assert _area(mask.geom) == pytest.approx(_area(scene.footprint), rel=1e-6)


def test_a_scene_without_image_has_no_mask(interpreted: Any) -> None:
    Scene.objects.update(state="rejected", cog_sha256="")
    with pytest.raises(ObservationError, match="E-OBS-02"):
        observation_of(Scene.objects.get())


def test_a_correction_is_cut_to_the_footprint_and_counted(interpreted: Any, person: Callable[..., Any]) -> None:
    scene, user = interpreted.scene, person("interpreter")
    mask = mask_update(scene=scene, geom=_ground(0.5, 3.0), user=user, lock=observation_of(scene).lock)
    assert (mask.method, mask.lock, mask.edited_by) == ("manual", 2, user)
    assert _area(mask.geom) == pytest.approx(_area(scene.footprint) / 2, rel=1e-4)
    again = mask_reset(scene=scene, user=user, lock=2)
    assert (again.method, again.lock, again.edited_by) == ("automatic", 3, None)
    assert _area(again.geom) == pytest.approx(_area(scene.footprint), rel=1e-6)


def test_what_is_unobserved_may_be_drawn_in_overlapping_parts(interpreted: Any) -> None:
    scene = interpreted.scene
    both = shapely.MultiPolygon([_ground(0.0, 0.3), _ground(0.2, 0.5)])
    seen = observed_without(scene, both)
    assert units.area_m2(seen) == pytest.approx(_area(scene.footprint) / 2, rel=1e-4)


def test_all_of_a_scene_may_be_unobserved(interpreted: Any, person: Callable[..., Any]) -> None:
    scene = interpreted.scene
    mask = mask_update(
        scene=scene, geom=shapely.MultiPolygon(), user=person("reviewer"), lock=observation_of(scene).lock
    )
    mask.refresh_from_db()
    assert mask.geom.empty


def test_who_saw_an_older_revision_may_not_overwrite(interpreted: Any, person: Callable[..., Any]) -> None:
    scene, user = interpreted.scene, person("interpreter")
    lock = observation_of(scene).lock
    mask_update(scene=scene, geom=_ground(0.0, 0.5), user=user, lock=lock)
    for change in (mask_reset, lambda **given: mask_update(geom=_ground(0.0, 0.9), **given)):
        with pytest.raises(ConflictError):
            change(scene=scene, user=user, lock=lock)
    assert ObservationMask.objects.get().lock == lock + 1


@pytest.mark.parametrize("role", ["uploader", "analyst", "manager", "viewer", "admin"])
def test_only_interpreters_and_reviewers_correct(interpreted: Any, person: Callable[..., Any], role: str) -> None:
    scene = interpreted.scene
    lock = observation_of(scene).lock
    with pytest.raises(ForbiddenError):
        mask_update(scene=scene, geom=_ground(0.0, 0.5), user=person(role), lock=lock)
    with pytest.raises(ForbiddenError):
        mask_update(scene=scene, geom=_ground(0.0, 0.5), user=person("interpreter", "654000"), lock=lock)


@pytest.mark.parametrize(
    "wrong",
    [shapely.LineString([(87, 43), (87.1, 43)]), shapely.Polygon([(87, 43), (87.1, 43.1), (87.1, 43), (87, 43.1)])],
)
def test_lines_and_crossed_outlines_are_refused(interpreted: Any, person: Callable[..., Any], wrong: Any) -> None:
    scene = interpreted.scene
    lock = observation_of(scene).lock
    with pytest.raises(ObservationError, match="E-OBS-01"):
        mask_update(scene=scene, geom=wrong, user=person("interpreter"), lock=lock)
    with pytest.raises(ObservationError, match="E-OBS-01"):
        observed_without(scene, wrong)


@pytest.mark.parametrize(
    ("cloud", "shadow", "expected"),
    [
        (0.20, 0.20, []),
        (0.21, 0.05, [("E-QUA-01", "warn", "21")]),
        (0.61, 0.25, [("E-QUA-01", "error", "61"), ("E-QUA-02", "warn", "25")]),
    ],
)
def test_clouds_warn_and_then_refuse(cloud: float, shadow: float, expected: list[tuple[str, str, str]]) -> None:
    found = ObservedGround(shapely.MultiPolygon(), cloud, shadow, True, {})
    said = [(f.code, f.severity, f.values["value"]) for f in observation_findings(found)]
    assert said == expected
