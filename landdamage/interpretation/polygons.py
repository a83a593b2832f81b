"""From strips of classes to patches: sieve, shared borders, ellipsoidal areas, confidence of every polygon."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from numpy.typing import NDArray

from landdamage.interpretation.bands import BAND_PIXELS, Block, bands
from landdamage.interpretation.components import find_components, label_block, sieve
from landdamage.interpretation.pieces import OpenPatches, Pieces, band_pieces
from landdamage.interpretation.predict import PROBABILITY_STEPS
from landdamage.interpretation.rasters import result_raster
from landdamage.interpretation.source import SceneSource
from landdamage.interpretation.strips import StripStore
from landdamage.taxonomy import BY_ID, damage_kind
from minegis.errors import JobCancelledError
from minegis.units import CGCS2000_EPSG, areas_cm2, reproject

if TYPE_CHECKING:
    import geopandas as gpd

SIMPLIFY_PIXELS = 1.0  # stairs of pixels become straight edges; nothing moves by more than half a pixel
MIN_AREA_M2 = 400.0
MIN_AREA_PIXELS = 25
# A straight edge of a projected map is not straight in degrees: over 1 km they part by 2 cm at 43°N.
LONGEST_EDGE_M = 1000.0
DEGREE_DECIMALS = 9  # 0.1 mm: neighbours' vertices stay equal after the edges are cut
_GRAPH_SHARE = 0.3  # of the work: finding the components and whom they touch


@dataclass(frozen=True, slots=True)
class Rasters:
    """Where the result rasters lie."""

    classes: Path
    confidence: Path
    margin: Path


def minimum_mapping_unit_m2(gsd_m: float) -> float:
    """Smallest patch in m²: max(400, 25 gsd²), 400 m² up to 4 m and 25 pixels beyond."""
    return max(MIN_AREA_M2, MIN_AREA_PIXELS * gsd_m**2)


def vectorise(
    store: StripStore,
    source: SceneSource,
    rasters: Rasters,
    tags: dict[str, Any],
    progress: Callable[[float], None],
    should_stop: Callable[[], bool],
    *,
    min_area_m2: float | None = None,
    simplify_pixels: float = SIMPLIFY_PIXELS,
) -> Iterator[gpd.GeoDataFrame]:
    """Turn finished strips into rasters and patches that agree with each other.

    Patches below the minimum mapping unit go to the neighbour with the longest common border, on the raster as in the
    polygons. Borders are smoothed once for both sides, so neighbours neither part nor overlap, and no area changes;
    the scene's own edge and the edge of unobserved ground stay as they are. Polygons are made from bands of rows and
    leave as soon as no later row can add to them, so that only what crosses the current band is in memory.

    Args:
        store: all strips are there.
        source: the scene they belong to.
        rasters: files to write.
        tags: recorded in the files.
        progress: called with the finished share 0-1 at every block of rows.
        should_stop: asked just as often.
        min_area_m2: minimum mapping unit; None takes ``minimum_mapping_unit_m2``.
        simplify_pixels: width of the strip in which borders may move, 0 to 1 pixels; 0 keeps the stairs.

    Yields:
        For every band the patches that end in it, of all classes but background, in EPSG:4490, see
        ``docs/DESIGN.md`` for the columns. The order depends on nothing but the pixels. The rasters are complete when
        the last batch has been taken.

    Raises:
        JobCancelledError: ``should_stop`` said so.
    """

    def reached(share: float) -> None:
        if should_stop():
            raise JobCancelledError
        progress(share)

    def blocks(start: float, end: float) -> Iterator[NDArray[np.uint8]]:
        for row, layers in store.blocks():
            reached(start + (end - start) * row / source.height)
            yield layers

    smallest = minimum_mapping_unit_m2(source.gsd_m) if min_area_m2 is None else min_area_m2
    found = find_components(layers[0] for layers in blocks(0.0, _GRAPH_SHARE))
    classes = sieve(found, math.ceil(smallest / source.gsd_m**2))
    of_block = [classes[members] for members in found.of_block]
    del found, classes  # the graph is done with: a byte per component is left
    patches = OpenPatches()
    for band in bands(
        _write(blocks(_GRAPH_SHARE, 1.0), of_block, source, rasters, tags), max(1, BAND_PIXELS // source.width)
    ):
        yield _patches(patches.add(band_pieces(band, simplify_pixels)), source)


def _write(
    blocks: Iterator[NDArray[np.uint8]],
    of_block: Sequence[NDArray[np.uint8]],
    source: SceneSource,
    rasters: Rasters,
    tags: dict[str, Any],
) -> Iterator[Block]:
    """Write the rasters row by row, and hand on the final class, the confidence and the margin of each pixel."""
    size = (source.height, source.width)
    place = (size, source.crs, source.transform, tags)
    with ExitStack() as files:
        classes = files.enter_context(result_raster(rasters.classes, *place, classes=True))
        step = 1 / PROBABILITY_STEPS
        confidence = files.enter_context(result_raster(rasters.confidence, *place, classes=False, scale=step))
        margin = files.enter_context(result_raster(rasters.margin, *place, classes=False, scale=step))
        for layers, of_label in zip(blocks, of_block, strict=True):
            final = of_label[label_block(layers[0])[0]]
            classes.add(final)
            confidence.add(layers[1])
            margin.add(layers[2])
            yield final, layers[1], layers[2]


def _patches(whole: Pieces, source: SceneSource) -> gpd.GeoDataFrame:
    import geopandas as gpd

    grid = source.transform
    matrix = np.array([[grid.a, grid.d], [grid.b, grid.e]])
    placed = shapely.transform(whole.polygons, lambda xy: xy @ matrix + (grid.c, grid.f))
    if source.crs.is_projected:
        placed = shapely.segmentize(placed, LONGEST_EDGE_M / source.crs.axis_info[0].unit_conversion_factor)
    geometry = shapely.transform(
        reproject(placed, source.crs.to_wkt()), lambda degrees: np.round(degrees, DEGREE_DECIMALS)
    )
    codes = [BY_ID[int(c)].code for c in whole.class_ids]
    return gpd.GeoDataFrame(
        {
            "class_id": whole.class_ids,
            "class_code": codes,
            "damage_kind": [damage_kind(code) for code in codes],
            **whole.columns(),
            "area_cm2": areas_cm2(geometry),
        },
        geometry=geometry,
        crs=CGCS2000_EPSG,
    )
