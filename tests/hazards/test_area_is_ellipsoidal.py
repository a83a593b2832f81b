"""Areas are those of the ellipsoid wherever the scene lies and whatever its projection.

A common defect of web maps: areas measured in Web Mercator are 1.7 times too large at 40°N.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from affine import Affine

from landdamage.interpretation import interpret_scene
from minegis.units import transformer

A, F = 6_378_137.0, 1 / 298.257222101  # CGCS2000
E2 = F * (2 - F)
SIDE = 200  # pixels of the square, in a scene of 320


def zone_area(latitude: float) -> float:
    """Area in m² between the equator and a parallel, per radian of longitude (closed form on the ellipsoid)."""
    s = math.sin(math.radians(latitude))
    e = math.sqrt(E2)
    return A * A * (1 - E2) / 2 * (s / (1 - E2 * s * s) + math.atanh(e * s) / e)


@pytest.mark.parametrize("latitude", [20.0, 40.0, 53.0])
@pytest.mark.parametrize("crs", ["EPSG:4490", "EPSG:3857", "gauss-kruger", "utm"])
def test_a_square_of_one_km2_measures_one_km2(
    latitude: float, crs: str, tmp_path: Path, class_scene: Callable[..., Path], class_engine: Callable
) -> None:
    longitude = 88.5  # the edge of a 3-degree zone
    crs = {"gauss-kruger": "EPSG:4538", "utm": "EPSG:32645"}.get(crs, crs)
    # The pixel's size in units of the CRS that makes the square 1 km² large, from the CRS's own definition.
    x, y = transformer(4490, crs).transform(longitude, latitude)
    metres = 1000 / SIDE
    if crs == "EPSG:4490":
        per_radian = zone_area(latitude + 1e-4) - zone_area(latitude - 1e-4)  # m² per radian over 2e-4 degrees
        step_y = metres / (math.pi / 180 * A * (1 - E2) / (1 - E2 * math.sin(math.radians(latitude)) ** 2) ** 1.5)
        step_x = metres**2 / (step_y * math.radians(1) * per_radian / 2e-4)
    elif crs == "EPSG:3857":  # the sphere's northing of an ellipsoid's latitude: both scales differ a little
        s2 = math.sin(math.radians(latitude)) ** 2
        step_x = metres * A / (A / math.sqrt(1 - E2 * s2)) / math.cos(math.radians(latitude))
        step_y = metres * A / (A * (1 - E2) / (1 - E2 * s2) ** 1.5) / math.cos(math.radians(latitude))
    else:  # transverse Mercator: scale k0 (1 + d²/2R²) at the distance d from the central meridian
        k0 = 0.9996 if crs == "EPSG:32645" else 1.0
        s2 = math.sin(math.radians(latitude)) ** 2
        radius2 = A * A * (1 - E2) / (1 - E2 * s2) ** 2
        step_x = step_y = metres * k0 * (1 + ((x - 500_000) / k0) ** 2 / (2 * radius2))
    truth = np.zeros((320, 320), np.uint8)
    truth[60 : 60 + SIDE, 60 : 60 + SIDE] = 7
    place = Affine(step_x, 0, x - 160 * step_x, 0, -step_y, y + 160 * step_y)
    scene = class_scene(truth, crs=crs, transform=place)
    result = interpret_scene(scene, tmp_path / "w", engine=class_engine(gsd_m=5.0), bands=tuple("01234567"))
    assert result.areas_cm2[7] / 1e10 == pytest.approx(1.0, rel=1e-3)
    assert len(result.patches) == 1
