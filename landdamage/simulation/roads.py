"""Haul roads between the parts of a mine, a highway, and faint vehicle tracks."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage

from landdamage import taxonomy
from landdamage.simulation import materials
from landdamage.simulation.canvas import Canvas
from landdamage.simulation.noise import Field, generator, smoothstep
from landdamage.simulation.plan import Plan

BACKGROUND = taxonomy.BY_CODE["background"].id


def _curve(rng: np.random.Generator, start: NDArray[np.float64], end: NDArray[np.float64], bend: float) -> list[
    tuple[float, float]
]:  # fmt: skip
    """Points (column, row) of a gently bent way."""
    t = np.linspace(0, 1, 60)[:, None]
    along = end - start
    normal = np.array([-along[1], along[0]])
    sway = rng.normal(0, bend, 3)
    off = sum(s * np.sin(np.pi * (k + 1) * t) / (k + 1) for k, s in enumerate(sway))
    way = start + along * t + normal * off
    return [(float(c), float(r)) for r, c in way]


def _mask(side: int, ways: list[list[tuple[float, float]]], width: int) -> NDArray[np.bool_]:
    image = Image.new("L", (side, side))
    pen = ImageDraw.Draw(image)
    for way in ways:
        pen.line(way, fill=255, width=width, joint="curve")
    return np.asarray(image) > 0


def road_masks(seed: int, plan: Plan, side: int, gsd: float) -> tuple[NDArray[np.bool_], Field]:
    """Roads that cut the vegetation (exact mask) and the share (0-1) of faint tracks on bare ground."""
    rng = generator(seed, 31)
    haul = []
    for site in plan.sites:
        spots = [np.array([f.row, f.col]) for f in site.features]
        haul += [_curve(rng, a, b, 0.10) for a, b in pairwise(spots)]
    gates = [np.array([s.features[0].row, s.features[0].col]) for s in plan.sites if s.features]
    haul += [_curve(rng, a, b, 0.08) for a, b in pairwise(gates)]
    wide = _mask(side, haul, max(3, round(13 / gsd)))
    tracks = []
    for _ in range(int(26 * (side / 1024) ** 2) + 8):
        start = rng.uniform(0, side, 2)
        turn = rng.uniform(0, 2 * np.pi)
        end = start + rng.uniform(120, 520) * np.array([np.sin(turn), np.cos(turn)])
        tracks.append(_curve(rng, start, end, 0.14))
    faint = ndimage.gaussian_filter(_mask(side, tracks, 2).astype(np.float32), 0.6) * np.float32(0.45)
    return wide, faint


def pave(canvas: Canvas, wide: NDArray[np.bool_], faint: Field, rough: Field) -> None:
    """Draw roads and tracks; a road through plants is background."""
    everywhere = (slice(None), slice(None))
    bare = canvas.labels == BACKGROUND
    canvas.lay(everywhere, faint * bare, materials.ROAD)
    tone = np.exp(0.05 * rough).astype(np.float32)
    canvas.lay(everywhere, wide * np.float32(0.9), materials.ROAD[:, None, None] * tone)
    canvas.labels[wide] = BACKGROUND


def spread_dust(canvas: Canvas, plan: Plan, rough: Field) -> None:
    """Pale dust and trampled ground around everything that is worked; it lies on bare ground only."""
    for feature in plan.features:
        window, down, right = feature.frame(canvas.side)
        away = np.hypot(down, right) / np.float32(feature.reach)
        share = (1 - smoothstep(away + 0.12 * rough[window], 0.5, 1.0)) * 0.28
        canvas.lay(window, share * (canvas.labels[window] == BACKGROUND), materials.ALLUVIUM)
