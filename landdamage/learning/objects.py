"""Polygon-level accuracy: the share of reference polygons that were found as what they are, and with their outline.

A reference polygon counts as right when the class most of its pixels were given is its own, and when it and the
predicted area of that class which shares most with it have an IoU of at least one half.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from landdamage.taxonomy import IGNORE

LEAST_PIXELS = 4  # smaller ones are slivers, as in the making of samples
LEAST_IOU = 0.5
_SHARED = np.ones((3, 3), bool)  # areas hang together over corners

Counts = NDArray[np.int64]


def areas(labels: NDArray[np.uint8], *, background: bool = False) -> NDArray[np.int32]:
    """Connected areas of one class each, numbered from 1 (H,W); 0 for background, if it is left out, and for 255."""
    out = np.zeros(labels.shape, np.int32)
    last = 0
    for class_id in np.unique(labels):
        if class_id == IGNORE or (class_id == 0 and not background):
            continue
        own, count = ndimage.label(labels == class_id, _SHARED)
        np.add(own, last, out=out, where=own > 0, casting="unsafe")
        last += count
    return out


def object_counts(
    truth: NDArray[np.uint8],
    prediction: NDArray[np.uint8],
    classes: int,
    polygons: NDArray[np.int32] | None = None,
) -> Counts:
    """Reference polygons per class, (classes, 2) int64: right ones, all; counts of several images add up.

    Args:
        truth: (H,W) classes, 255 = unobserved; only observed pixels count.
        prediction: (H,W) classes.
        classes: how many.
        polygons: (H,W) number of the reference polygon, 0 = none; each of one class. None takes the connected areas of
            every class but background.
    """
    counts = np.zeros((classes, 2), np.int64)
    observed = truth != IGNORE
    if polygons is None:
        polygons = areas(truth)
    found = areas(np.where(prediction < classes, prediction, IGNORE).astype(np.uint8), background=True)
    inside = observed & (polygons > 0)
    ids, number = np.unique(polygons[inside], return_inverse=True)
    if not ids.size:
        return counts
    size = np.bincount(number)
    own_class = np.zeros(len(ids), np.int64)
    own_class[number] = truth[inside]
    said = prediction[inside].astype(np.int64)
    votes = np.bincount(number * 256 + said, minlength=len(ids) * 256).reshape(len(ids), 256)
    found_size = np.bincount(found[observed], minlength=int(found.max()) + 1)
    same = said == own_class[number]
    pairs, shared = np.unique(np.stack([number[same], found[inside][same]]), axis=1, return_counts=True)
    most = np.zeros(len(ids), np.int64)
    union = np.ones(len(ids), np.int64)
    for (polygon, area), pixels in zip(pairs.T, shared, strict=True):
        if pixels > most[polygon]:
            most[polygon] = pixels
            union[polygon] = size[polygon] + found_size[area] - pixels
    right = (votes.argmax(axis=1) == own_class) & (most >= LEAST_IOU * union)
    counted = size >= LEAST_PIXELS
    counts[:, 0] = np.bincount(own_class[counted & right], minlength=classes)
    counts[:, 1] = np.bincount(own_class[counted], minlength=classes)
    return counts


def object_accuracy(counts: Counts) -> NDArray[np.float64]:
    """Share of right polygons per class, 0-1 (classes,); NaN for a class without polygons."""
    right, total = counts.astype(np.float64).T
    return np.divide(right, total, out=np.full_like(right, np.nan), where=total > 0)
