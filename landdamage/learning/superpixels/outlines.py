"""Superpixels as polygons for a map."""

from __future__ import annotations

import json
from typing import Any, Final

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from rasterio.features import shapes

from minegis import units

_DIGITS: Final = 7  # of degrees: a centimetre
_SMOOTH: Final = 1.25  # pixels


def outlines(segments: NDArray[np.int32], transform: Affine, crs: Any) -> dict[str, Any]:
    """Outlines of all pieces as GeoJSON in longitude, latitude (EPSG:4490).

    The stairs of the pixels are smoothed by about a pixel for the eye, alike on both sides of a border; what is
    labelled and exported are the pixels themselves.

    Args:
        segments: (H,W) numbers of the pieces, 0 = none.
        transform: of the window.
        crs: of the image.

    Returns:
        A FeatureCollection; every feature's id is the number of its piece.
    """
    parts: dict[int, list[shapely.Geometry]] = {}
    for outline, number in shapes(segments, mask=segments > 0, transform=transform):
        parts.setdefault(int(number), []).append(shapely.from_geojson(json.dumps(outline)))
    numbers = sorted(parts)
    whole = np.array([parts[n][0] if len(parts[n]) == 1 else shapely.MultiPolygon(parts[n]) for n in numbers], object)
    smooth = shapely.coverage_simplify(whole, _SMOOTH * abs(transform.determinant) ** 0.5) if len(whole) else whole
    return {
        "type": "FeatureCollection",
        "features": [
            {"type": "Feature", "id": number, "properties": {}, "geometry": _rounded(shape, crs)}
            for number, shape in zip(numbers, smooth, strict=True)
        ],
    }


def _rounded(shape: shapely.Geometry, crs: Any) -> dict[str, Any]:
    moved = units.reproject(shape, crs)
    rings = [
        [np.round(shapely.get_coordinates(ring), _DIGITS).tolist() for ring in (part.exterior, *part.interiors)]
        for part in shapely.get_parts(moved)
    ]
    if len(rings) == 1:
        return {"type": "Polygon", "coordinates": rings[0]}
    return {"type": "MultiPolygon", "coordinates": rings}
