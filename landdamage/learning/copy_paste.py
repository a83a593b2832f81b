"""Objects of rare classes copied onto other tiles of the same sensor, so that they are met in more places."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from landdamage.learning.augment import Image, Labels, Mask
from landdamage.taxonomy import BY_CODE

_LEAST_PIXELS: Final = 32  # of an object
_MOST_SHARE: Final = 0.4  # of a tile that an object may fill
_LEAST_ROOM: Final = 0.7  # of the object must come to lie on ground it may lie on


@dataclass(frozen=True, slots=True)
class CopyPaste:
    """Which objects go where.

    Attributes:
        probability: that a tile gets one.
        classes: ids of the rare classes, drawn evenly.
        onto: ids of the classes they may cover.
    """

    probability: float = 0.3
    classes: tuple[int, ...] = (BY_CODE["tailings_pond"].id,)
    onto: tuple[int, ...] = (BY_CODE["background"].id, BY_CODE["stockpile"].id)


def object_at(labels: Labels, row: int, column: int, class_id: int) -> NDArray[np.bool_] | None:
    """The connected object (H,W) of a class nearest to a place; None where it is too small, too large or cut off."""
    parts, count = ndimage.label(labels == class_id)
    if not count:
        return None
    rows, columns = np.nonzero(parts)
    nearest = np.argmin((rows - row) ** 2 + (columns - column) ** 2)
    found = np.asarray(parts == parts[rows[nearest], columns[nearest]])
    cut = found[0].any() or found[-1].any() or found[:, 0].any() or found[:, -1].any()
    if cut or not _LEAST_PIXELS <= found.sum() <= _MOST_SHARE * found.size:
        return None
    return found


def paste(
    rng: np.random.Generator,
    target: tuple[Image, Labels, Mask],
    source: tuple[Image, Labels, Mask],
    shape: NDArray[np.bool_],
    onto: tuple[int, ...],
) -> bool:
    """Put an object of one tile at a random place of another, in place.

    Args:
        rng: source of chance.
        target: image (C,H,W), labels (H,W), valid (H,W), changed where the object comes to lie.
        source: the same of the other tile.
        shape: (H,W) the object in the source.
        onto: class ids it may cover; elsewhere, and where nothing is known, the target stays as it is.

    Returns:
        Whether there was room for it.
    """
    image, labels, valid = target
    rows, columns = np.nonzero(shape & source[2])
    if not rows.size:
        return False
    height, width = labels.shape
    down = int(rng.integers(-rows.min(), height - rows.max()))
    across = int(rng.integers(-columns.min(), width - columns.max()))
    there = rows + down, columns + across
    free = valid[there] & np.isin(labels[there], onto)
    if free.mean() < _LEAST_ROOM:
        return False
    here = rows[free], columns[free]
    there = there[0][free], there[1][free]
    image[(slice(None), *there)] = source[0][(slice(None), *here)]
    labels[there] = source[1][here]
    return True
