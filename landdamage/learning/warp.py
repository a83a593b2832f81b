"""Rotation, scale, shear and shift of a tile: image bilinear and reflected at the edge, labels nearest and 255 beyond.

``torch.nn.functional.grid_sample`` does both: torch is here anyway, needs no further library (kornia would bring its
own tensors of the same call, OpenCV a second image stack), and knows reflection and nearest neighbours exactly.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from landdamage.learning.augment import Image, Labels, Mask, flip_and_turn
from landdamage.taxonomy import IGNORE

NORTH_UP_DEGREES: Final = 10.0  # so far a tile may turn and still have its shadows on the side of the northern sun
_SEEN: Final = 0.999  # share of the four neighbours that must be valid


@dataclass(frozen=True, slots=True)
class Warp:
    """How far tiles are bent.

    Attributes:
        rotate: probability of a free rotation.
        degrees: largest rotation, either way.
        affine: probability of scale, shear and shift together.
        scale: smallest and largest factor, drawn evenly on a logarithmic axis.
        shear: largest shear in degrees along either axis.
        shift: largest shift in shares of the side.
    """

    rotate: float = 0.3
    degrees: float = 45.0
    affine: float = 0.3
    scale: tuple[float, float] = (0.75, 1.33)
    shear: float = 8.0
    shift: float = 0.10

    def north_up(self) -> Warp:
        """The same with rotations so small that shadows keep their side."""
        return replace(self, degrees=min(self.degrees, NORTH_UP_DEGREES))


STRONG: Final = Warp(rotate=1.0, affine=1.0)  # the copies of the source paper's split


def random_matrix(rng: np.random.Generator, strength: Warp) -> NDArray[np.float64] | None:
    """A 2 x 3 matrix for ``warp``, or None where chance leaves the tile as it is."""
    turn = rng.random() < strength.rotate
    bend = rng.random() < strength.affine
    angle, shear_x, shear_y = np.radians(
        [
            rng.uniform(-strength.degrees, strength.degrees) * turn,
            rng.uniform(-strength.shear, strength.shear) * bend,
            rng.uniform(-strength.shear, strength.shear) * bend,
        ]
    )
    factor = float(np.exp(rng.uniform(*np.log(strength.scale)))) if bend else 1.0
    shift = rng.uniform(-strength.shift, strength.shift, 2) * bend
    if not turn and not bend:
        return None
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    shear = np.array([[1.0, np.tan(shear_x)], [np.tan(shear_y), 1.0]])
    return np.column_stack([factor * rotation @ shear, shift])


def warp(image: Image, labels: Labels, valid: Mask, matrix: NDArray[np.float64]) -> tuple[Image, Labels, Mask]:
    """Bend a square tile.

    Args:
        image: (C,side,side) float32.
        labels: (side,side) uint8.
        valid: (side,side).
        matrix: 2 x 3, place on the old tile -> place on the new one; x to the right and y down from the middle, in
            sides.

    Returns:
        The same shapes; ground beyond the old tile is its mirror image in the picture and 255 in the labels.
    """
    inverse = np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))[:2]
    height, width = labels.shape
    x, y = np.meshgrid((np.arange(width) + 0.5) / width - 0.5, (np.arange(height) + 0.5) / height - 0.5)
    from_x = inverse[0, 0] * x + inverse[0, 1] * y + inverse[0, 2]
    from_y = inverse[1, 0] * x + inverse[1, 1] * y + inverse[1, 2]
    places = torch.from_numpy(np.stack([2 * from_x, 2 * from_y], axis=-1).astype(np.float32))[None]  # a side is 2 long

    def sample(values: NDArray[Any], mode: str, padding: str) -> NDArray[np.float32]:
        tensor = torch.from_numpy(np.ascontiguousarray(values, np.float32))[None]
        return F.grid_sample(tensor, places, mode=mode, padding_mode=padding, align_corners=False)[0].numpy()

    # Zero is what grid_sample puts beyond the edge, so classes are counted from one meanwhile.
    moved = sample(labels[None].astype(np.float32) + 1, "nearest", "zeros")[0]
    classes = np.where(moved == 0, IGNORE, moved - 1).astype(np.uint8)
    seen = sample(valid[None], "bilinear", "reflection")[0] > _SEEN
    classes[~seen] = IGNORE
    return sample(image, "bilinear", "reflection"), classes, seen


def turned_copy(
    rng: np.random.Generator, pixels: NDArray[Any], labels: Labels, valid: Mask, strength: Warp
) -> tuple[NDArray[Any], Labels, Mask]:
    """A mirrored, turned and bent copy of digital numbers (C,side,side) in their data type, with its labels."""
    pixels, labels, valid = flip_and_turn(rng, pixels, labels, valid)
    matrix = random_matrix(rng, strength)
    if matrix is None:
        return pixels, labels, valid
    image, labels, valid = warp(pixels.astype(np.float32), labels, valid, matrix)
    if pixels.dtype.kind in "iu":
        limits = np.iinfo(pixels.dtype)
        image = np.clip(np.rint(image), limits.min, limits.max)
    out = image.astype(pixels.dtype)
    out[:, ~valid] = 0
    return out, labels, valid
