"""The ground of one unit: its layers, and the faces of their overlay with what each layer says about them."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Final

import geopandas as gpd
import numpy as np
import shapely

from landdamage.accounting import overlay
from landdamage.accounting.observation import Observation
from landdamage.accounting.shares import plane_weights
from landdamage.accounting.states import DAMAGE, KIND_OF, KINDS, State
from landdamage.accounting.territories import Territory
from minegis.errors import MineGISError

FINE_M: Final = 1e-6  # grid on which labels are joined: it closes the gaps that cutting leaves in floating point
COLLINEAR_M: Final = 1e-5  # a vertex nearer to its neighbours' line was put there by a cut and means nothing

KIND_NUMBER: Final = np.zeros(32, np.int8)  # by state + 1: 0 no damage, 1.. position in KINDS + 1
KIND_NUMBER[[state + 1 for state in DAMAGE]] = [KINDS.index(KIND_OF[state]) + 1 for state in DAMAGE]


def kind_number(states: np.ndarray) -> np.ndarray:
    """0 for ground without damage, else 1 + position in ``KINDS``; any shape."""
    return KIND_NUMBER[states + 1]


@dataclass(frozen=True)
class Faces:
    """Faces of an overlay, one entry per face in every array.

    Attributes:
        shapes: polygons in Albers.
        points: where the layers were looked up: inside the face, or inside the broader face that a sliver goes with.
        opening: index of the opening cell, -1 for ground that was never booked.
        prev, obs: states (int64); since: year of the last observation before, 0 never.
        vegetated: consecutive observed years of vegetation on released ground so far.
        scene: position of the scene, -1 none; confidence: NaN where no patch is.
        region: position of the region, -1 none; outside: beyond the licence boundary.
        weight: twice the plane area in cm², at least 1.
        joined: False for the few opening cells that the grid swallowed: they keep their area and share no edge.
    """

    shapes: np.ndarray
    points: np.ndarray
    opening: np.ndarray
    prev: np.ndarray
    obs: np.ndarray
    since: np.ndarray
    vegetated: np.ndarray
    scene: np.ndarray
    confidence: np.ndarray
    region: np.ndarray
    outside: np.ndarray
    weight: np.ndarray
    joined: np.ndarray

    def __len__(self) -> int:
        return len(self.shapes)

    @property
    def changed(self) -> np.ndarray:
        """Where an observed label and a known book disagree on the kind of damage."""
        known = (self.obs != State.NOOBS) & (self.prev != State.UNKNOWN)
        return known & (kind_number(self.prev) != kind_number(self.obs))

    def take(self, rows: np.ndarray) -> Faces:
        """Some of the faces."""
        return replace(self, **{field.name: getattr(self, field.name)[rows] for field in fields(self)})


class Layers:
    """What is laid over each other in one unit, in Albers on the grid."""

    def __init__(
        self, territory: Territory, opening: gpd.GeoDataFrame, observation: Observation, regions: gpd.GeoDataFrame
    ) -> None:
        self.territory = overlay.snapped(overlay.polygons(territory.geometry))
        self.licence = None if territory.licence is None else overlay.snapped(overlay.polygons(territory.licence))
        self.window = tuple(shapely.total_bounds(self.territory).tolist())
        self.opening = _opening(opening)
        self.labels = _labels(observation.labels)
        self.observed = overlay.snapped(overlay.polygons(observation.observed))
        near = shapely.box(*self.window)
        inside = overlay.frame_to_albers(regions)
        self.regions = inside.geometry.to_numpy()
        self.regions_near = self.regions[shapely.intersects(self.regions, near)] if len(inside) else self.regions

    @property
    def edges(self) -> list[np.ndarray]:
        """All boundary edges, per layer."""
        layers = [self.territory, self.opening.geometry.to_numpy(), self.labels.geometry.to_numpy(), self.observed]
        layers += [self.regions_near] if self.licence is None else [self.regions_near, self.licence]
        return [overlay.edges(layer, self.window) for layer in layers]

    def describe(self, shapes: np.ndarray) -> tuple[Faces, np.ndarray]:
        """Look every layer up at a point of each face inside the territory.

        Returns:
            The faces, and (p, 2) pairs of those that share edges.
        """
        points = shapely.point_on_surface(shapes)
        inside = overlay.look_up(self.territory, points) >= 0
        shapes, points = shapes[inside], points[inside]
        pairs, lengths = overlay.neighbours(shapes)
        points = points[overlay.broad_neighbour(shapes, pairs, lengths)]
        opened = overlay.look_up(self.opening.geometry.to_numpy(), points)
        lost = np.setdiff1d(np.arange(len(self.opening)), opened)
        joined = np.arange(len(shapes) + len(lost)) < len(shapes)
        swallowed = self.opening.geometry.to_numpy()[lost]
        shapes, points = np.r_[shapes, swallowed], np.r_[points, shapely.point_on_surface(swallowed)]
        opened = np.r_[opened, lost]
        label = overlay.look_up(self.labels.geometry.to_numpy(), points, ~joined)
        observed = overlay.look_up(self.observed, points, ~joined) >= 0
        seen = np.where(observed & (label >= 0), label, -1)
        none = np.zeros(len(shapes), bool)
        faces = Faces(
            shapes=shapes,
            points=points,
            opening=opened,
            prev=_value(self.opening["state"], opened, State.UNKNOWN),
            since=_value(self.opening["observed_year"], opened, 0),
            vegetated=_value(self.opening["vegetated_years"], opened, 0),
            obs=np.where(observed, _value(self.labels["state"], seen, State.OTHER), State.NOOBS),
            scene=_value(self.labels["scene"], seen, -1),
            confidence=_value(self.labels["confidence"], seen, np.nan),
            region=overlay.look_up(self.regions, points, ~joined),
            outside=none if self.licence is None else overlay.look_up(self.licence, points, ~joined) < 0,
            weight=np.maximum(plane_weights(shapes), 1),
            joined=joined,
        )
        return faces, pairs

    def check_opening(self, faces: Faces) -> None:
        """The opening book must lie in the territory, without overlaps.

        Raises:
            MineGISError: E-ACC-03.
        """
        shapes = self.opening.geometry.to_numpy()
        gap = abs(shapely.area(shapes).sum() - faces.weight[(faces.opening >= 0) & faces.joined].sum() / 20_000)
        # Noding moves a line by up to half a step, so a fair book is off by far less than this along its boundaries.
        if gap > overlay.NEAR * shapely.length(shapes).sum():
            raise MineGISError("E-ACC-03", value=f"{gap:.2f}")


def _value(column: gpd.GeoSeries, rows: np.ndarray, missing: float) -> np.ndarray:
    """Values of rows, `missing` at -1, in the column's type."""
    values = column.to_numpy()
    return np.append(values, np.array(missing, values.dtype))[rows]


def _opening(opening: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    frame = overlay.frame_to_albers(opening)
    wanted = {name: frame[name].to_numpy(np.int64) for name in ("state", "area_cm2", "observed_year")}
    waiting = frame["vegetated_years"].to_numpy(np.int64) if "vegetated_years" in frame else np.zeros(len(frame), int)
    return gpd.GeoDataFrame(wanted | {"vegetated_years": waiting}, geometry=frame.geometry.to_numpy(), crs=frame.crs)


def _labels(labels: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Labels that mean the same become one, and vertices that a cut left on a straight edge go: a patch that somebody
    cut in two gives the same faces as the whole one.
    """
    frame = labels if labels.crs is not None else labels.set_crs(overlay.ALBERS)
    columns = {
        "state": frame["state"].to_numpy(np.int64),
        "scene": frame["scene"].to_numpy(np.int64),
        "source": frame["source"].to_numpy(np.int64),
        "confidence": frame["confidence"].to_numpy(float),
    }
    shapes = overlay.repaired(frame.geometry.to_numpy().copy())
    if len(shapes):
        known = np.nan_to_num(columns["confidence"], nan=-1)
        key = np.column_stack([columns["state"], columns["scene"], columns["source"], known])
        _, first, group = np.unique(key, axis=0, return_index=True, return_inverse=True)
        joined = [shapely.union_all(shapes[group.ravel() == n], grid_size=FINE_M) for n in range(len(first))]
        # A ring in normal order starts at a true corner, which simplifying keeps.
        shapes = shapely.simplify(shapely.normalize(np.array(joined, object)), COLLINEAR_M)
        columns = {name: values[first] for name, values in columns.items()}
    return gpd.GeoDataFrame(columns, geometry=overlay.snapped(shapes), crs=frame.crs)
