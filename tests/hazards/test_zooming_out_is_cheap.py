"""A map zoomed far out asks for tiles on which a scene is a dot; they must not keep the web server busy for minutes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import morecantile
import numpy as np
import pytest
import rasterio
from rasterio.enums import Resampling
from rio_tiler.io import Reader

from landdamage.api.tiles import TILE, _read
from landdamage.services.files import file_path
from tests.fixtures.labelled import image_file

MERCATOR = morecantile.tms.get("WebMercatorQuad")


@pytest.fixture(params=[False, True], ids=["without overviews", "with overviews"])
def image(request: Any, tmp_path: Path) -> Path:
    """A small image, or one twice as large with an overview."""
    pixels = np.random.default_rng(1).integers(500, 1500, (4, 192, 192), np.uint16) if request.param else None
    path = image_file(tmp_path, 0, pixels=pixels).path
    if request.param:
        with rasterio.open(path, "r+") as dataset:
            dataset.build_overviews([2], Resampling.average)
    return path


def middle(path: Path) -> tuple[float, float]:
    with Reader(str(path)) as reader:
        west, south, east, north = reader.get_geographic_bounds("EPSG:4326")
    return (west + east) / 2, (south + north) / 2


def test_a_scene_that_is_a_dot_is_drawn_at_once(image: Path) -> None:
    """Zoom 3 took hours when the ground of the tile was warped at the resolution of the image."""
    for zoom in range(3, 12):
        tile = MERCATOR.tile(*middle(image), zoom)
        shown = _read(image, zoom, tile.x, tile.y, (1, 2, 3))
        assert shown.data.shape == (3, TILE, TILE)
    assert shown.mask.any()  # at zoom 11 it covers some pixels


def test_it_lies_where_the_slow_way_puts_it(image: Path) -> None:
    with Reader(str(image)) as reader:
        coarse = reader.minzoom - 2
        tile = MERCATOR.tile(*middle(image), coarse)
        slow = reader.tile(tile.x, tile.y, coarse, tilesize=TILE, indexes=(1, 2, 3))
    fast = _read(image, coarse, tile.x, tile.y, (1, 2, 3))
    assert fast.mask.any()
    assert ((fast.mask > 0) != (slow.mask > 0)).sum() <= 0.1 * (slow.mask > 0).sum()
    seen = (fast.mask > 0) & (slow.mask > 0)
    assert fast.data[:, seen].mean() == pytest.approx(slow.data[:, seen].mean(), rel=0.05)


@pytest.mark.django_db
def test_the_doors_answer(mined: SimpleNamespace, client_for: Callable[..., Any]) -> None:
    client, scene, run = client_for(mined.interpreter), mined.scenes[0], mined.runs[0]
    tile = MERCATOR.tile(*middle(file_path(scene.cog_sha256)), 6)
    for address in (
        f"scenes/{scene.pk}/tiles/6/{tile.x}/{tile.y}.webp",
        f"runs/{run.pk}/tiles/6/{tile.x}/{tile.y}.png",
    ):
        assert client.get(f"/api/v1/{address}").status_code == 200
    outside = client.get(f"/api/v1/scenes/{scene.pk}/tiles/6/0/0.webp")
    assert (outside.status_code, outside["Content-Type"]) == (200, "image/png")
