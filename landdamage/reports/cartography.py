"""What maps are drawn with: polygons as paths, a kilometre grid, a scale bar, a north arrow, legend boxes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import shapely
from matplotlib.axes import Axes
from matplotlib.patches import PathPatch, Polygon, Rectangle
from matplotlib.path import Path as MplPath

from landdamage.reports.style import FAINT, GREY, INK
from minegis.units import CGCS2000_EPSG, gauss_kruger_epsg, transformer

SCALES = (1_000, 2_000, 5_000, 10_000, 25_000, 50_000, 100_000, 200_000, 500_000, 1_000_000, 2_000_000, 5_000_000)
GRID_STEPS_M = (100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000)
Box = tuple[float, float, float, float]  # x0, y0, x1, y1


@dataclass(frozen=True)
class Look:
    """How an area is drawn in map and legend alike."""

    face: str = "none"
    edge: str = "none"
    width: float = 0.0
    style: str = "-"
    hatch: str = ""
    alpha: float = 1.0

    def patch(self) -> dict[str, Any]:
        """Arguments of a matplotlib patch."""
        return {
            "facecolor": (*_rgb(self.face), self.alpha) if self.face != "none" else "none",
            "edgecolor": self.edge,
            "lw": self.width,
            "ls": self.style,
            "hatch": self.hatch or None,
        }


def _rgb(colour: str) -> tuple[float, float, float]:
    named = {"white": "#FFFFFF", "black": "#000000"}.get(colour, colour)
    return tuple(int(named[i : i + 2], 16) / 255 for i in (1, 3, 5))  # type: ignore[return-value]


def to_grid(frame: gpd.GeoDataFrame, epsg: int) -> gpd.GeoDataFrame:
    """An EPSG:4490 frame on a Gauss-Kruger grid: x easting, y northing in metres."""
    step = transformer(CGCS2000_EPSG, epsg)
    moved = shapely.transform(frame.geometry.to_numpy(), lambda xy: np.column_stack(step.transform(xy[:, 0], xy[:, 1])))
    return frame.drop(columns="geometry").set_geometry(gpd.GeoSeries(moved, index=frame.index, crs=epsg))


def local_epsg(bounds: Box) -> int:
    """The un-prefixed 3-degree zone of the middle of lon/lat bounds."""
    return gauss_kruger_epsg((bounds[0] + bounds[2]) / 2)


def fitting_scale(bounds: Box, width_mm: float, height_mm: float, preferred: int) -> int:
    """The largest usual scale, not larger than the preferred one, at which bounds in metres fit on paper."""
    wanted = max((bounds[2] - bounds[0]) * 1000 / width_mm, (bounds[3] - bounds[1]) * 1000 / height_mm)
    return next((s for s in SCALES if s >= max(preferred, wanted)), SCALES[-1])


def paper_window(bounds: Box, width_mm: float, height_mm: float, scale: int) -> Box:
    """The ground in metres that a frame of paper shows at a scale, centred on bounds."""
    x, y = (bounds[0] + bounds[2]) / 2, (bounds[1] + bounds[3]) / 2
    half_w, half_h = width_mm * scale / 2000, height_mm * scale / 2000
    return x - half_w, y - half_h, x + half_w, y + half_h


def draw(axes: Axes, shapes: Iterable[Any], look: Look, zorder: float) -> None:
    """Draw polygons as one path, holes kept open."""
    vertices, codes = [], []
    for polygon in shapely.get_parts(shapely.orient_polygons(np.asarray(list(shapes), object))):
        if polygon.is_empty or polygon.geom_type != "Polygon":
            continue
        for ring in (polygon.exterior, *polygon.interiors):
            xy = shapely.get_coordinates(ring)
            vertices.append(xy)
            code = np.full(len(xy), MplPath.LINETO, np.uint8)
            code[0], code[-1] = MplPath.MOVETO, MplPath.CLOSEPOLY
            codes.append(code)
    if vertices:
        path = MplPath(np.concatenate(vertices), np.concatenate(codes))
        axes.add_patch(PathPatch(path, zorder=zorder, **look.patch()))


def grid_step(window: Box) -> int:
    """Metres between grid lines: five to ten across the wider side."""
    wide = max(window[2] - window[0], window[3] - window[1])
    return next((s for s in GRID_STEPS_M if wide / s <= 9), GRID_STEPS_M[-1])


def draw_grid(axes: Axes, window: Box) -> list[str]:
    """Kilometre grid with labels on all four sides; returns the labels (kilometres)."""
    step = grid_step(window)
    digits = 1 if step < 1000 else 0
    labels: list[str] = []
    for axis, low, high in (("x", window[0], window[2]), ("y", window[1], window[3])):
        at = np.arange(np.ceil(low / step) * step, high, step)
        names = [f"{value / 1000:.{digits}f}" for value in at]
        labels += names
        if axis == "x":
            axes.set_xticks(at, names)
            axes.vlines(at, window[1], window[3], color=GREY, lw=0.25, alpha=0.7, zorder=6)
        else:
            axes.set_yticks(at, names, rotation=90, va="center")
            axes.hlines(at, window[0], window[2], color=GREY, lw=0.25, alpha=0.7, zorder=6)
    axes.tick_params(
        top=True, right=True, labeltop=True, labelright=True, direction="out", length=3, width=0.5, labelsize=7, pad=1.5
    )
    return labels


def north_arrow(axes: Axes, x: float, y: float, size: float, label: str) -> None:
    """A grid-north arrow; up on a Gauss-Kruger sheet is grid north (axes in mm)."""
    left = [(x, y + size), (x - size * 0.28, y), (x, y + size * 0.22)]
    right = [(x, y + size), (x + size * 0.28, y), (x, y + size * 0.22)]
    axes.add_patch(Polygon(left, facecolor=INK, edgecolor=INK, lw=0.6))
    axes.add_patch(Polygon(right, facecolor="white", edgecolor=INK, lw=0.6))
    axes.text(x, y + size + 1.2, "N", ha="center", va="bottom", size=11, weight="bold")
    axes.text(x, y - 1.2, label, ha="center", va="top", size=6.5, color=GREY)


def bar_length_m(scale: int, room_mm: float) -> int:
    """A round length that fits ``room_mm`` of paper."""
    most = room_mm * scale / 1000
    power = 10 ** int(np.floor(np.log10(most)))
    return int(next(f * power for f in (5, 2, 1) if f * power <= most))


def scale_bar(axes: Axes, x: float, y: float, scale: int, room_mm: float) -> str:
    """A bar of four parts, true on paper (axes in mm); returns its label."""
    length = bar_length_m(scale, room_mm)
    part = length / scale * 1000 / 4
    for i in range(4):
        box = Rectangle((x + i * part, y), part, 1.6, facecolor=INK if i % 2 == 0 else "white", edgecolor=INK, lw=0.5)
        axes.add_patch(box)
    unit, size = ("km", 1000) if length >= 1000 else ("m", 1)
    for i in (0, 2, 4):
        axes.text(x + i * part, y + 2.2, f"{length * i / 4 / size:g}", ha="center", va="bottom", size=6.5)
    label = f"{length / size:g} {unit}"
    axes.text(x + 4 * part + 3.5, y + 2.2, unit, ha="left", va="bottom", size=6.5)
    return label


def legend_box(axes: Axes, x: float, y: float, look: Look, name: str) -> None:
    """One legend entry: a box of 9 x 5 mm and its name (axes in mm)."""
    axes.add_patch(Rectangle((x, y), 9, 5, facecolor="white", edgecolor=FAINT, lw=0.3))
    axes.add_patch(Rectangle((x, y), 9, 5, **(look.patch() | {"lw": look.width or 0.3})))
    axes.text(x + 11.5, y + 2.5, name, va="center", size=8)
