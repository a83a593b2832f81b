"""Map tiles from stored GeoTIFFs: the same permission as the row, no path or URL ever comes from outside."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import rasterio
from django.http import HttpResponse
from morecantile import Tile
from rasterio.transform import from_bounds
from rest_framework.request import Request
from rio_tiler.colormap import apply_cmap
from rio_tiler.errors import TileOutsideBounds
from rio_tiler.io import Reader
from rio_tiler.models import ImageData

from landdamage import taxonomy
from landdamage.imagery.radiometry import Stretch
from landdamage.models import Scene

TILE = 256
DEEPEST = 24  # zoom level of a pixel below a centimetre
CACHE = "private, max-age=3600"


@lru_cache(maxsize=1)
def _empty() -> bytes:
    return ImageData(np.ma.masked_all((3, TILE, TILE), dtype="uint8")).render(img_format="PNG")


def _answer(request: Request, body: bytes, kind: str, tag: str) -> HttpResponse:
    response = HttpResponse(body, content_type=kind)
    # Write-once files: the hash of the file and the address name the content for ever; shared caches must not keep it.
    response["Cache-Control"] = CACHE
    response["ETag"] = f'"{tag}"'
    return response


def display_indexes(bands: list[str], count: int) -> tuple[int, ...]:
    """One-based bands for true colour: R, G, B where known, else the first three, else grey."""
    if all(letter in bands for letter in "RGB"):
        return tuple(bands.index(letter) + 1 for letter in "RGB")
    return (1, 2, 3) if count >= 3 else (1, 1, 1)


def _read(path: Path, z: int, x: int, y: int, indexes: tuple[int, ...]) -> ImageData:
    """A tile of a file, nearest pixels.

    Where the whole image covers less than a tile, its coarsest overview is warped to the pixels of the tile.
    ``Reader.tile`` would warp the ground of the whole tile at about the overview's resolution first: minutes for an
    image that shows as a dot.

    Raises:
        TileOutsideBounds: the image does not reach into the tile.
    """
    with Reader(str(path)) as reader:
        if z >= reader.minzoom:
            return reader.tile(x, y, z, tilesize=TILE, indexes=indexes)
        if not reader.tile_exists(x, y, z):
            raise TileOutsideBounds
        bounds, crs = reader.tms.xy_bounds(Tile(x, y, z)), reader.tms.rasterio_crs
        levels = len(reader.dataset.overviews(1))
    grid = {"transform": from_bounds(*bounds, TILE, TILE), "width": TILE, "height": TILE}
    with (
        rasterio.open(path, **({"overview_level": levels - 1} if levels else {})) as dataset,
        Reader(str(path), dataset=dataset) as reader,
    ):
        return reader.part(
            bounds, dst_crs=crs, bounds_crs=crs, height=TILE, width=TILE, indexes=indexes, vrt_options=grid
        )


def image_tile(request: Request, scene: Scene, path: Path, z: int, x: int, y: int) -> HttpResponse:
    """A true-colour WebP tile with the scene's one stretch."""
    tag = f"{scene.cog_sha256[:16]}-{z}-{x}-{y}"
    if request.headers.get("If-None-Match") == f'"{tag}"':
        return HttpResponse(status=304)
    indexes = display_indexes(scene.bands, len(scene.bands))
    try:
        image = _read(path, z, x, y, indexes)
    except TileOutsideBounds:
        return _answer(request, _empty(), "image/png", tag)
    low, high = (np.asarray(scene.stretch[key]) for key in ("low", "high"))
    pick = [i - 1 for i in indexes]
    shown = Stretch(low[pick], high[pick]).display(image.data)
    mask = image.mask
    body = ImageData(np.ma.MaskedArray(shown, mask=np.broadcast_to(mask == 0, shown.shape))).render(
        img_format="WEBP", quality=82
    )
    return _answer(request, body, "image/webp", tag)


def class_tile(
    request: Request, sha256: str, path: Path, z: int, x: int, y: int, classes: frozenset[int]
) -> HttpResponse:
    """A coloured tile of a class raster; classes that are switched off and background are transparent."""
    tag = f"{sha256[:16]}-{z}-{x}-{y}-{'.'.join(map(str, sorted(classes)))}"
    if request.headers.get("If-None-Match") == f'"{tag}"':
        return HttpResponse(status=304)
    try:
        image = _read(path, z, x, y, (1,))
    except TileOutsideBounds:
        return _answer(request, _empty(), "image/png", tag)
    colours = dict.fromkeys(range(256), (0, 0, 0, 0))
    colours |= {c.id: (*c.rgb, 255) for c in taxonomy.CLASSES if c.id in classes}
    data, alpha = apply_cmap(image.data, colours)
    alpha = np.where(image.mask == 0, 0, alpha)
    body = ImageData(np.ma.MaskedArray(data, mask=np.broadcast_to(alpha == 0, data.shape))).render(img_format="PNG")
    return _answer(request, body, "image/png", tag)
