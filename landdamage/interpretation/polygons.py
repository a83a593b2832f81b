"""From strips of classes to patches: sieve, shared borders, ellipsoidal areas, confidence of every polygon."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray

from landdamage.interpretation.components import Components, find_components, label_block, sieve
from landdamage.interpretation.predict import PROBABILITY_STEPS
from landdamage.interpretation.rasters import result_raster
from landdamage.interpretation.source import SceneSource
from landdamage.interpretation.strips import StripStore
from landdamage.interpretation.tracing import VOID, BoundaryTracer
from landdamage.taxonomy import BY_ID, IGNORE, damage_kind
from minegis.errors import JobCancelledError
from minegis.units import CGCS2000_EPSG, area_cm2, reproject

SIMPLIFY_PIXELS = 1.0  # stairs of pixels become straight edges; nothing wider than a pixel moves
MIN_AREA_M2 = 400.0
MIN_AREA_PIXELS = 25
LOW_QUANTILE = 0.05
# A straight edge of a projected map is not straight in degrees: over 1 km they part by 2 cm at 43°N.
LONGEST_EDGE_M = 1000.0
DEGREE_DECIMALS = 9  # 0.1 mm: neighbours' vertices stay equal after the edges are cut


@dataclass(frozen=True, slots=True)
class Rasters:
    """Where the result rasters lie."""

    classes: Path
    confidence: Path
    margin: Path


def minimum_mapping_unit_m2(gsd_m: float) -> float:
    """Smallest patch in m²: max(400, 25 gsd²), 400 m² up to 4 m and 25 pixels beyond."""
    return max(MIN_AREA_M2, MIN_AREA_PIXELS * gsd_m**2)


class _Statistics:
    """Per component: pixels at each step of confidence, and the sum of margins."""

    def __init__(self, count: int) -> None:
        self._steps = np.zeros((count, PROBABILITY_STEPS + 1), np.uint32)
        self._margins = np.zeros(count, np.int64)

    def add(self, ids: NDArray[np.int32], confidence: NDArray[np.uint8], margin: NDArray[np.uint8]) -> None:
        """Count pixels: component numbers and the two layers, all of one shape (N,)."""
        present, place = np.unique(ids, return_inverse=True)
        width = PROBABILITY_STEPS + 1
        counts = np.bincount(place * width + confidence, minlength=len(present) * width)
        self._steps[present] += counts.reshape(-1, width).astype(np.uint32)
        self._margins[present] += np.bincount(place, weights=margin).astype(np.int64)

    def columns(self, ids: NDArray[np.int32]) -> dict[str, NDArray[Any]]:
        """Mean and 5 % quantile of the confidence, mean margin and pixel count of some components."""
        steps = self._steps[ids].astype(np.int64)
        pixels = steps.sum(axis=1)
        below = steps.cumsum(axis=1) >= np.ceil(LOW_QUANTILE * pixels)[:, None]
        return {
            "confidence": steps @ np.arange(PROBABILITY_STEPS + 1) / (pixels * PROBABILITY_STEPS),
            "confidence_p5": below.argmax(axis=1) / PROBABILITY_STEPS,
            "margin": self._margins[ids] / (pixels * PROBABILITY_STEPS),
            "pixels": pixels,
        }


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
) -> gpd.GeoDataFrame:
    """Turn finished strips into rasters and patches that agree with each other.

    Patches below the minimum mapping unit go to the neighbour with the longest common border, on the raster as in the
    polygons. Borders are simplified together with those of the background, so neighbours neither part nor overlap;
    the scene's own edge and the edge of unobserved ground stay as they are.

    Args:
        store: all strips are there.
        source: the scene they belong to.
        rasters: files to write.
        tags: recorded in the files.
        progress: called with the finished share 0-1 at every block of rows and between the steps.
        should_stop: asked just as often.
        min_area_m2: minimum mapping unit; None takes ``minimum_mapping_unit_m2``.
        simplify_pixels: tolerance of the simplification in pixels; 0 keeps the stairs.

    Returns:
        Patches of all classes but background, see ``docs/DESIGN.md`` for the columns; EPSG:4490.

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
    found = find_components(layers[0] for layers in blocks(0.0, 0.2))
    components = sieve(found, math.ceil(smallest / source.gsd_m**2))
    statistics, tracer = _write(blocks(0.2, 0.5), source, rasters, tags, components)
    reached(0.5)
    polygons, ids = tracer.polygons()
    if simplify_pixels > 0:
        polygons = shapely.coverage_simplify(polygons, simplify_pixels, simplify_boundary=False)
    reached(0.7)
    kept = components.classes[ids] != 0
    return _patches(polygons[kept], ids[kept], components, statistics, source)


def _write(
    blocks: Iterator[NDArray[np.uint8]],
    source: SceneSource,
    rasters: Rasters,
    tags: dict[str, Any],
    components: Components,
) -> tuple[_Statistics, BoundaryTracer]:
    """Write the rasters row by row while borders and statistics are collected."""
    statistics, tracer = _Statistics(len(components.classes)), BoundaryTracer(source.width)
    size = (source.height, source.width)
    place = (size, source.crs, source.transform, tags)
    with ExitStack() as files:
        classes = files.enter_context(result_raster(rasters.classes, *place, classes=True))
        step = 1 / PROBABILITY_STEPS
        confidence = files.enter_context(result_raster(rasters.confidence, *place, classes=False, scale=step))
        margin = files.enter_context(result_raster(rasters.margin, *place, classes=False, scale=step))
        for layers, of_block in zip(blocks, components.of_block, strict=True):
            ids = of_block[label_block(layers[0])[0]]
            final = components.classes[ids]
            seen = final != IGNORE
            classes.add(final)
            confidence.add(layers[1])
            margin.add(layers[2])
            statistics.add(ids[seen], layers[1][seen], layers[2][seen])
            ids[~seen] = VOID
            tracer.add(ids)
    return statistics, tracer


def _patches(
    polygons: NDArray[Any],
    ids: NDArray[np.int32],
    components: Components,
    statistics: _Statistics,
    source: SceneSource,
) -> gpd.GeoDataFrame:
    grid = source.transform
    matrix = np.array([[grid.a, grid.d], [grid.b, grid.e]])
    placed = shapely.transform(polygons, lambda xy: xy @ matrix + (grid.c, grid.f))
    if source.crs.is_projected:
        placed = shapely.segmentize(placed, LONGEST_EDGE_M / source.crs.axis_info[0].unit_conversion_factor)
    geometry = shapely.transform(
        reproject(placed, source.crs.to_wkt()), lambda degrees: np.round(degrees, DEGREE_DECIMALS)
    )
    class_ids = components.classes[ids]
    codes = [BY_ID[int(c)].code for c in class_ids]
    return gpd.GeoDataFrame(
        {
            "class_id": class_ids,
            "class_code": codes,
            "damage_kind": [damage_kind(code) for code in codes],
            **statistics.columns(ids),
            "area_cm2": np.array([area_cm2(polygon) for polygon in geometry], np.int64),
        },
        geometry=geometry,
        crs=CGCS2000_EPSG,
    )
