"""Frames as numbers: which arrays are frames, and what their full scale is."""

from __future__ import annotations

from typing import Any

import numpy as np

from minegis.errors import EnhancementError

Frame = np.ndarray[Any, np.dtype[Any]]  # (H, W, 3), B, G, R


def full_scale(frame: Frame, bits: int | None = None) -> float:
    """The value of white: 255 for uint8, 2^bits - 1 (bits 9 to 16, default 16) for uint16, 1 for floats.

    Raises:
        EnhancementError: E-ENH-03, no (H, W, 3) array of such a type, or a value above the full scale.
    """
    if not isinstance(frame, np.ndarray) or frame.ndim != 3 or frame.shape[2] != 3 or 0 in frame.shape:
        raise EnhancementError("E-ENH-03", value=getattr(frame, "shape", type(frame).__name__))
    if frame.dtype == np.uint8:
        return 255.0
    if frame.dtype == np.uint16:
        full = 2.0 ** (16 if bits is None else bits) - 1
        if bits is not None and not 9 <= bits <= 16:
            raise EnhancementError("E-ENH-03", value=f"{bits} bit")
        if bits not in (None, 16) and frame.max() > full:
            raise EnhancementError("E-ENH-03", value=f"{frame.max()} > {full:.0f}")
        return full
    if frame.dtype in (np.float32, np.float64):
        # Point 1: thresholds are fractions of full scale, so 0..255 in floats must not pass unnoticed.
        low, high = float(frame.min()), float(frame.max())
        if not (low >= 0.0 and high <= 1.0):
            raise EnhancementError("E-ENH-03", value=f"{low:g}..{high:g}")
        return 1.0
    raise EnhancementError("E-ENH-03", value=frame.dtype)
