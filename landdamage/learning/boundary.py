"""Boundary F1: how much of the outlines lies within a few pixels of the true ones, whatever the area inside."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from landdamage.taxonomy import IGNORE

TOLERANCE = 3  # pixels
Counts = NDArray[np.int64]
Mask = NDArray[np.bool_]


def boundary_counts(
    truth: NDArray[np.uint8], prediction: NDArray[np.uint8], classes: int, tolerance: int = TOLERANCE
) -> Counts:
    """Outline pixels per class, (classes, 4) int64; counts of several images add up.

    The outline of a class are its pixels with a neighbour (of four) of another class. Unobserved pixels (truth 255)
    have no class in the prediction either; where the class meets them, or the image ends, is no outline.

    Args:
        truth: (H,W) classes, 255 = unobserved.
        prediction: (H,W) classes.
        classes: how many.
        tolerance: distance in pixels (Euclidean) at which an outline pixel still counts as found.

    Returns:
        Per class: predicted outline pixels near the true outline, predicted ones in all, true ones near the predicted
        outline, true ones in all.
    """
    observed = truth != IGNORE
    prediction = np.where(observed, prediction, IGNORE).astype(np.uint8)
    counts = np.zeros((classes, 4), np.int64)
    true_edges, found_edges = _edges(truth), _edges(prediction)
    for class_id in range(classes):
        true, found = true_edges & (truth == class_id), found_edges & (prediction == class_id)
        box = _box(true | found, tolerance)
        if box is None:
            continue
        true, found = true[box], found[box]
        counts[class_id] = (
            (found & near(true, tolerance)).sum(),
            found.sum(),
            (true & near(found, tolerance)).sum(),
            true.sum(),
        )
    return counts


def boundary_f1(counts: Counts) -> NDArray[np.float64]:
    """F1 per class from counts, 0-1 (classes,); NaN for a class without a true outline, 0 for one never predicted."""
    near_found, found, near_true, true = counts.astype(np.float64).T
    precision = np.divide(near_found, found, out=np.zeros_like(found), where=found > 0)
    recall = np.divide(near_true, true, out=np.zeros_like(true), where=true > 0)
    total = precision + recall
    f1 = np.divide(2 * precision * recall, total, out=np.zeros_like(total), where=total > 0)
    return np.where(true > 0, f1, np.nan)


def near(mask: Mask, radius: int) -> Mask:
    """Pixels (H,W) within ``radius`` of a pixel of the mask (a disc, its rim included)."""
    out = np.zeros_like(mask)
    for dy in range(radius + 1):
        reach = math.isqrt(radius**2 - dy**2)
        row = _spread(mask, reach)
        if dy == 0:
            out |= row
        else:
            out[dy:] |= row[:-dy]
            out[:-dy] |= row[dy:]
    return out


def _spread(mask: Mask, reach: int) -> Mask:
    out = mask.copy()
    for dx in range(1, reach + 1):
        out[:, dx:] |= mask[:, :-dx]
        out[:, :-dx] |= mask[:, dx:]
    return out


def _edges(labels: NDArray[np.uint8]) -> Mask:
    """Pixels with a neighbour of another class."""
    edge = np.zeros(labels.shape, bool)
    for axis in (0, 1):
        first, second = (labels[:-1], labels[1:]) if axis == 0 else (labels[:, :-1], labels[:, 1:])
        differ = (first != second) & (first != IGNORE) & (second != IGNORE)
        if axis == 0:
            edge[:-1] |= differ
            edge[1:] |= differ
        else:
            edge[:, :-1] |= differ
            edge[:, 1:] |= differ
    return edge


def _box(mask: Mask, margin: int) -> tuple[slice, slice] | None:
    """The window that holds a mask and a margin around it."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        return None
    return (
        slice(max(int(rows[0]) - margin, 0), int(rows[-1]) + margin + 1),
        slice(max(int(columns[0]) - margin, 0), int(columns[-1]) + margin + 1),
    )
