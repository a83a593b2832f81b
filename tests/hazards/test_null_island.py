"""An image whose position was never set lies at 0°, 0°, in the sea off Ghana; it must not enter the accounts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from affine import Affine
from rasterio.transform import from_origin

from landdamage.imagery import inspect_scene


@pytest.mark.parametrize(
    ("crs", "transform"),
    [
        ("EPSG:4326", from_origin(0, 0, 1e-5, 1e-5)),
        ("EPSG:4490", from_origin(-0.0004, 0.0003, 1e-5, 1e-5)),
        ("EPSG:3857", from_origin(0, 0, 2, 2)),
        ("EPSG:32631", from_origin(166_021, 0, 2, 2)),
        ("EPSG:4490", Affine.identity()),
        ("EPSG:4538", Affine.identity()),
    ],
)
def test_image_at_zero_zero_is_rejected(make_raster: Callable[..., Path], crs: str, transform: Affine) -> None:
    report = inspect_scene(make_raster(crs=crs, transform=transform))
    assert report.state == "rejected"
    assert report.codes == ["E-GEO-08"]


@pytest.mark.parametrize("corner", [(87.6, 0.001), (0.001, 43.0), (-1.6, 6.2)])
def test_equator_greenwich_and_ghana_are_real_places(
    make_raster: Callable[..., Path], corner: tuple[float, float]
) -> None:
    report = inspect_scene(make_raster(crs="EPSG:4490", transform=from_origin(*corner, 2e-5, 2e-5)))
    assert report.state == "ready"
