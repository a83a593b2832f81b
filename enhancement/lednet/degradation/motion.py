"""Motion blur: the mean, in light, of what stood before the shutter while it was open; lamps leave bright streaks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from scipy import ndimage

from enhancement.lednet.degradation.response import Response

Picture = np.ndarray[Any, np.dtype[Any]]
SATURATED = 0.98  # from here on a pixel is clipped: the light behind it was brighter than shown
BRIGHTER = (1.2, 8.0)  # by so much


def true_light(shown: Picture, response: Response, rng: np.random.Generator) -> Picture:
    """Linear light of a shown picture, with clipped regions given the brightness they may have had.

    Every connected region with a channel above 0.98 is multiplied by one m ~ U(1.2, 8), so that after averaging its
    streak is still bright.
    """
    light = response.to_linear(shown)
    regions, count = ndimage.label(shown.max(axis=2) > SATURATED)
    if not count:
        return light
    factors = np.concatenate([[1.0], rng.uniform(*BRIGHTER, count)]).astype(np.float32)
    return light * factors[regions][..., None]


def average(frames: Sequence[Picture], response: Response, rng: np.random.Generator) -> Picture:
    """Mean light of an odd number of shown frames (S1 eq. 1 without the last g): linear, not clipped.

    One factor per clipped region of the middle frame would not follow a moving lamp, so each frame draws its own from
    the same state: regions in the same order get the same factor.
    """
    if len(frames) % 2 == 0:
        raise ValueError("an even number of frames has none in the middle")
    seed = int(rng.integers(2**63))
    total = np.zeros(frames[0].shape, np.float32)
    for frame in frames:
        total += true_light(frame, response, np.random.default_rng(seed))
    return total / np.float32(len(frames))


def sharpest(frames: Sequence[Picture]) -> int:
    """Position of the frame with the largest variance of the Laplacian of its grey."""
    return int(np.argmax([ndimage.laplace(frame.mean(axis=2)).var() for frame in frames]))


def shake(rng: np.random.Generator, count: int, reach: float, turn: float = 0.0) -> Picture:
    """Course of a shaken camera during the exposure: (count, 3) of x, y in pixels and an angle in radians.

    A mass pulled back to its place and pushed at random (as Boracchi and Foi draw camera shake), scaled so that it
    strays by ``reach`` pixels at most; in the middle it stands where the label was taken: (0, 0, 0).
    """
    course = np.zeros((count, 3))
    pushed = rng.normal(size=(count, 3)) * (rng.random((count, 1)) < 0.3)
    steady = rng.normal(size=3) * 0.5
    speed = np.zeros(3)
    for k in range(1, count):
        speed = 0.8 * speed + 0.4 * pushed[k] + 0.2 * steady - 0.05 * course[k - 1]
        course[k] = course[k - 1] + speed
    course -= course[count // 2]
    for axes, limit in ((slice(0, 2), reach), (slice(2, 3), turn)):
        far = np.hypot(*course[:, axes].T).max() if axes.stop == 2 else np.abs(course[:, 2]).max()
        course[:, axes] *= limit / far if far > 0 else 0.0
    return course.astype(np.float32)


def shaken(light: Picture, course: Picture) -> Picture:
    """Mean of a linear picture moved along a course; what comes in from outside is a reflection."""
    height, width = light.shape[:2]
    picture = torch.from_numpy(np.ascontiguousarray(light, np.float32)).permute(2, 0, 1)[None]
    total = torch.zeros_like(picture)
    for x, y, angle in course.tolist():
        c, s, ratio = math.cos(angle), math.sin(angle), height / width
        # In affine_grid's units half a picture is 1.
        matrix = torch.tensor([[[c, -s * ratio, 2 * x / width], [s / ratio, c, 2 * y / height]]])
        grid = F.affine_grid(matrix, list(picture.shape), align_corners=False)
        total += F.grid_sample(picture, grid, "bilinear", "reflection", align_corners=False)
    return (total[0] / len(course)).permute(1, 2, 0).numpy()
