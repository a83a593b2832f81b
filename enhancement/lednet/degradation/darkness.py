"""Night: by a power law on what is shown, or by less light."""

from __future__ import annotations

from typing import Any

import numpy as np

Picture = np.ndarray[Any, np.dtype[Any]]
GREY = np.array([0.114, 0.587, 0.299], np.float32)  # BT.601 luma of B, G, R
POWER, FACTOR = (1.5, 3.5), (0.4, 1.0)
STOPS = (-5.0, -1.5)
LUMA = (0.03, 0.25)  # of a night picture
LAMP = 0.97  # shown values above it keep their brightness
TRIES = 64


def by_power(shown: Picture, exponent: float, factor: float) -> Picture:
    """I' = c I^γ (S1 eq. 2) on a shown picture; lamps (I > 0.97) fade over to what they are."""
    dark = np.float32(factor) * np.clip(shown, 0, 1) ** np.float32(exponent)
    lamp = np.clip((shown - LAMP) / (1 - LAMP), 0, 1).max(axis=2, keepdims=True)
    return dark + (shown - dark) * lamp


def draw_power(shown: Picture, rng: np.random.Generator) -> tuple[float, float]:
    """γ ~ U(1.5, 3.5) and c ~ U(0.4, 1), drawn until the mean luma lies in [0.03, 0.25].

    A picture that no draw brings there gets the draw that comes nearest.
    """
    best = (2.0, 0.7)
    nearest = np.inf
    small = shown[:: max(1, shown.shape[0] // 64), :: max(1, shown.shape[1] // 64)]
    for _ in range(TRIES):
        exponent, factor = float(rng.uniform(*POWER)), float(rng.uniform(*FACTOR))
        luma = float((by_power(small, exponent, factor) @ GREY).mean())
        outside = max(LUMA[0] - luma, luma - LUMA[1], 0.0)
        if outside < nearest:
            best, nearest = (exponent, factor), outside
        if outside == 0:
            break
    return best


def by_exposure(light: Picture, stops: float) -> Picture:
    """A linear picture with 2^stops of its light."""
    return light * np.float32(2.0**stops)
