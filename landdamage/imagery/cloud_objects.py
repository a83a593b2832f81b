"""Which bright objects of a coarse image are clouds: brightness, whiteness, soft edges, a shadow where one must lie.

Everything works on arrays of about ten metres a cell and needs no calibration: values count relative to the scene's own
dark end and its own clear ground.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, signal

Field = NDArray[np.float32]
Mask = NDArray[np.bool_]

# Brightness in times the clear ground, both above the dark end; whiteness as lesser over greater of the outermost
# visible bands. Over pale desert clouds are only a few times brighter: there they must be whiter than any rock.
SEEDS = ((5.0, 0.80), (3.0, 0.93))
GREEN = (0.85, 1.35)  # green over the mean of blue and red: red sand lies below, plants and algae above
SEED_REDNESS = 1.7  # near infrared over red: above it grows something
SMALLEST_M2 = 2500.0
MOST_OBJECTS = 2000
MOST_SHADOWS = 500  # a tenth of a second each
BACKGROUND_M = 300.0  # reach of the local background
REACH_M = 200.0  # how far a cloud may extend around its bright core
MATCH_CELL_M = 20.0
DARK = 0.2  # a shadow is darker than its surroundings by this share in every band
VISIBLE = 0.3  # share of a shadow that must be visible to be judged


@dataclass(frozen=True, slots=True)
class Sky:
    """Where shadows can lie: directions towards the sun (degrees clockwise from north) and distances in metres."""

    azimuths: NDArray[np.float64]
    distances: NDArray[np.float64]


@dataclass(slots=True, eq=False)
class Candidate:
    """A bright white object and what speaks for a cloud.

    ``brightness`` in units of the clear ground; ``whiteness`` 0-1; ``edge`` share of its contrast that falls within
    one cell at its outline; ``scores`` (azimuths, distances) -1 to 1, NaN where no shadow could be seen;
    ``azimuth``, ``distance`` and ``shadow`` (the score there) of the best match, NaN without any.
    """

    window: tuple[slice, slice]
    mask: Mask
    area_m2: float
    brightness: float
    whiteness: float
    edge: float
    scores: NDArray[np.float64]
    azimuth: float = np.nan
    distance: float = np.nan
    shadow: float = np.nan


@dataclass(frozen=True, slots=True)
class Clear:
    """A scene above its dark end: bands, mean of the visible ones, their whiteness, level of the clear ground."""

    bands: Mapping[str, Field]
    brightness: Field
    whiteness: Field
    level: float


def above_dark(bands: Mapping[str, Field], valid: Mask) -> Clear:
    """Subtract each band's dark end (its 0.5th percentile, mostly path light) and describe the rest.

    The clear ground is the 25th percentile of brightness: it stays clear ground up to 70 % of clouds.

    Args:
        bands: fields (H, W) by letter B, G, R, N; at least two of B, G, R.
        valid: cells that hold a measurement, at least one.
    """
    lifted = {
        name: np.maximum(field - np.float32(np.percentile(field[valid], 0.5)), 0) for name, field in bands.items()
    }
    visible = [lifted[name] for name in "BGR" if name in lifted]
    brightness: Field = np.mean(np.stack(visible), axis=0, dtype=np.float32)
    # Blue against red alone: sensors give green up to a quarter more digital numbers for the same white.
    ends = np.stack([visible[0], visible[-1]])
    whiteness = ends.min(axis=0) / np.maximum(ends.max(axis=0), 1e-6)
    level = float(np.percentile(brightness[valid], 25))
    return Clear(lifted, brightness, whiteness, max(level, 1e-6))


def bright_seeds(clear: Clear, valid: Mask) -> Mask:
    """Cells bright and white enough to belong to a cloud's core, bright ground included."""
    seeds = np.zeros(valid.shape, bool)
    for brightness, whiteness in SEEDS:
        seeds |= valid & (clear.brightness > brightness * clear.level) & (clear.whiteness > whiteness)
    if all(name in clear.bands for name in "BGR"):
        middle = (clear.bands["B"] + clear.bands["R"]) / 2
        seeds &= (clear.bands["G"] > GREEN[0] * middle) & (clear.bands["G"] < GREEN[1] * middle)
    if "N" in clear.bands and "R" in clear.bands:
        seeds &= clear.bands["N"] < SEED_REDNESS * np.maximum(clear.bands["R"], 1e-6)
    return ndimage.binary_opening(seeds, np.ones((2, 2)))


def local_mean(field: Field, weight: Mask, sigma: float) -> Field:
    """Gaussian mean over the weighted cells; where none is near, the mean of all of them."""
    total = ndimage.gaussian_filter(np.where(weight, field, 0).astype(np.float32), sigma)
    share = ndimage.gaussian_filter(weight.astype(np.float32), sigma)
    everywhere = float(field[weight].mean()) if weight.any() else 0.0
    return np.where(share > 1e-3, total / np.maximum(share, 1e-3), everywhere).astype(np.float32)


def candidates(
    clear: Clear, valid: Mask, cell_m: float, sky: Sky, promising: Callable[[Candidate], bool] = lambda one: True
) -> list[Candidate]:
    """The largest bright white objects, each with its evidence, largest first.

    Args:
        clear: what ``above_dark`` returns.
        valid: cells that hold a measurement.
        cell_m: side of a cell in metres.
        sky: where shadows can lie.
        promising: for whom a shadow is looked for, by what else is known; at most ``MOST_SHADOWS`` of them.
    """
    seeds = bright_seeds(clear, valid)
    labels, count = ndimage.label(seeds, np.ones((3, 3)))
    if not count:
        return []
    sizes = np.bincount(labels.ravel())[1:]
    order = [k for k in np.argsort(-sizes)[:MOST_OBJECTS] if sizes[k] * cell_m**2 >= SMALLEST_M2 and sizes[k] >= 4]
    boxes = ndimage.find_objects(labels)
    bare = valid & ~ndimage.binary_dilation(seeds, iterations=max(1, round(50 / cell_m)))
    background = local_mean(clear.brightness, bare, BACKGROUND_M / cell_m)
    slope = ndimage.gaussian_gradient_magnitude(clear.brightness, 1.0)
    dark, seen = _shadow_field(clear, bare, cell_m)
    found: list[Candidate] = []
    looked = 0
    for k in order:
        reach = round(REACH_M / cell_m) + 1
        window = tuple(
            slice(max(side.start - reach, 0), min(side.stop + reach, size))
            for side, size in zip(boxes[k], labels.shape, strict=True)
        )
        core = labels[window] == k + 1
        contrast = clear.brightness[window] - background[window]
        top = float(np.percentile(contrast[core], 75))
        around = ndimage.binary_dilation(core, iterations=reach - 1)
        mask = ndimage.binary_propagation(core, mask=around & valid[window] & (contrast > 0.25 * top))
        outline = mask & ~ndimage.binary_erosion(mask, border_value=1)
        edge = float(np.median(slope[window][outline])) / max(top, 1e-6) if outline.any() else 1.0
        one = Candidate(
            window=window,  # type: ignore[arg-type]
            mask=mask,
            area_m2=float(mask.sum()) * cell_m**2,
            brightness=float(np.percentile(clear.brightness[window][core], 75)) / clear.level,
            whiteness=float(np.median(clear.whiteness[window][core])),
            edge=edge,
            scores=np.full((len(sky.azimuths), len(sky.distances)), np.nan),
        )
        if looked < MOST_SHADOWS and promising(one):
            looked += 1
            one.scores = _shadow_scores(one, dark, seen, cell_m, sky)
        found.append(one)
    return found


def _shadow_field(clear: Clear, bare: Mask, cell_m: float) -> tuple[Field, Field]:
    """Share 0-1 of each matching cell that is dark in every band, and whether it can be judged."""
    dark = bare.copy()
    for field in clear.bands.values():
        dark &= field < (1 - DARK) * local_mean(field, bare, BACKGROUND_M / cell_m)
    return _coarse(dark.astype(np.float32), cell_m), _coarse(bare.astype(np.float32), cell_m)


def _step(cell_m: float) -> int:
    return max(1, round(MATCH_CELL_M / cell_m))


def _coarse(field: Field, cell_m: float) -> Field:
    """Mean over blocks of the matching cell; a rest at the lower and right edge is dropped."""
    k = _step(cell_m)
    rows, columns = field.shape[0] // k, field.shape[1] // k
    return field[: rows * k, : columns * k].reshape(rows, k, columns, k).mean((1, 3), dtype=np.float32)


def _shadow_scores(one: Candidate, dark: Field, seen: Field, cell_m: float, sky: Sky) -> NDArray[np.float64]:
    """How much darker the ground under the shifted mask is than the ring around it, per direction and distance."""
    k, mask, window = _step(cell_m), one.mask, one.window
    top, left = window[0].start // k, window[1].start // k
    shape = np.zeros((-(-window[0].stop // k) - top, -(-window[1].stop // k) - left), np.float32)
    rows, columns = np.nonzero(mask)
    np.add.at(shape, ((rows + window[0].start) // k - top, (columns + window[1].start) // k - left), 1.0 / k**2)
    rim = 6
    inside = np.pad(shape, rim) >= 0.5
    if not inside.any():
        inside = np.pad(shape, rim) > 0
    ring = ndimage.binary_dilation(inside, iterations=rim) & ~ndimage.binary_dilation(inside, iterations=2)
    reach = int(sky.distances.max() / (cell_m * k)) + 1
    angle = np.radians(sky.azimuths)[:, None]
    down = np.rint(np.cos(angle) * sky.distances / (cell_m * k)).astype(int)  # away from the sun: north is up the rows
    right = np.rint(-np.sin(angle) * sky.distances / (cell_m * k)).astype(int)
    high, wide = inside.shape
    r0, c0 = top - rim - reach, left - rim - reach
    part = [_crop(field, r0, c0, high + 2 * reach, wide + 2 * reach) for field in (dark, seen)]
    sums = {
        name: [signal.fftconvolve(field, kernel[::-1, ::-1].astype(np.float32), "valid") for field in part]
        for name, kernel in (("in", inside), ("ring", ring))
    }
    at = (down + reach, right + reach)
    (dark_in, seen_in), (dark_ring, seen_ring) = ([s[at] for s in sums[name]] for name in ("in", "ring"))
    score = dark_in / np.maximum(seen_in, 1e-3) - dark_ring / np.maximum(seen_ring, 1e-3)
    judged = (seen_in > VISIBLE * inside.sum()) & (seen_ring > VISIBLE * ring.sum())
    return np.where(judged, score, np.nan)


def _crop(field: Field, row: int, column: int, high: int, wide: int) -> Field:
    """A part of a field, zero outside it."""
    out = np.zeros((high, wide), np.float32)
    r0, r1 = max(row, 0), min(row + high, field.shape[0])
    c0, c1 = max(column, 0), min(column + wide, field.shape[1])
    if r0 < r1 and c0 < c1:
        out[r0 - row : r1 - row, c0 - column : c1 - column] = field[r0:r1, c0:c1]
    return out


def match_shadows(
    found: Sequence[Candidate], leading: Sequence[Candidate], sky: Sky, spread_deg: float = 10.0
) -> float:
    """Give every candidate its best shadow in one common direction to the sun, and return that direction (degrees).

    The direction is the one whose best scores, weighted by brightness and the root of the area, add up to most over
    the ``leading`` candidates; NaN where none of them could be judged.
    """
    total = np.zeros(len(sky.azimuths))
    for one in leading:
        best = np.nan_to_num(one.scores, nan=-1.0).max(axis=1)
        total += np.maximum(best, 0) ** 2 * np.sqrt(one.area_m2) * one.brightness
    if not total.any():
        return float("nan")
    azimuth = float(sky.azimuths[int(total.argmax())])
    near = np.abs((sky.azimuths - azimuth + 180) % 360 - 180) <= spread_deg
    for one in found:
        scores = np.where(near[:, None], one.scores, np.nan)
        if np.isnan(scores).all():
            continue
        a, b = np.unravel_index(np.nanargmax(scores), scores.shape)
        one.azimuth, one.distance, one.shadow = float(sky.azimuths[a]), float(sky.distances[b]), float(scores[a, b])
    return azimuth
