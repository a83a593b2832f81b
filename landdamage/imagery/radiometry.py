"""One stretch per scene: what the eye and the network see of raw digital numbers.

Percentiles are taken once per scene over valid pixels (never per tile, which would make seams); the same numbers
normalise the network's input in training and in interpretation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

LOW_PERCENT, HIGH_PERCENT = 2.0, 98.0


@dataclass(frozen=True, slots=True)
class Stretch:
    """Low and high digital number per band, shape (bands,), float64, high > low."""

    low: NDArray[np.float64]
    high: NDArray[np.float64]

    @classmethod
    def from_pixels(cls, pixels: NDArray[Any], valid: NDArray[np.bool_] | None = None) -> Stretch:
        """Percentiles 2 and 98 per band.

        Args:
            pixels: (bands, H, W) or (bands, N) digital numbers, ideally ≥ 10⁶ of them.
            valid: mask of the trailing shape; None means every pixel counts.

        A band without spread gets a width of one, so that it maps to a constant instead of dividing by zero.
        """
        flat = pixels.reshape(pixels.shape[0], -1)
        keep = flat if valid is None else flat[:, valid.reshape(-1)]
        if keep.shape[1] == 0:
            keep = np.zeros((pixels.shape[0], 1))
        low, high = np.percentile(keep.astype(np.float64), [LOW_PERCENT, HIGH_PERCENT], axis=1)
        return cls(low, np.where(high > low, high, low + 1.0))

    def network_input(self, pixels: NDArray[Any], valid: NDArray[np.bool_] | None = None) -> NDArray[np.float32]:
        """Normalise digital numbers for the network.

        x = (clip((dn - p2) / (p98 - p2), -0.5, 2) - 0.5) / 0.25, float32, shape kept; invalid pixels become 0.
        """
        low = self.low.reshape(-1, *([1] * (pixels.ndim - 1)))
        span = (self.high - self.low).reshape(low.shape)
        scale = (1.0 / span).astype(np.float32)
        out = pixels.astype(np.float32)
        out -= low.astype(np.float32)
        out *= scale
        np.clip(out, -0.5, 2.0, out=out)
        out -= 0.5
        out *= 4.0
        if valid is not None:
            out[:, ~valid] = 0.0
        return out

    def display(self, pixels: NDArray[Any]) -> NDArray[np.uint8]:
        """Digital numbers as 8-bit for the eye: p2 -> 0, p98 -> 255, clipped, shape kept."""
        low = self.low.reshape(-1, *([1] * (pixels.ndim - 1)))
        span = (self.high - self.low).reshape(low.shape)
        return np.clip((pixels - low) * (255.0 / span), 0, 255).astype(np.uint8)

    def as_lists(self) -> dict[str, list[float]]:
        """Plain lists for JSON."""
        return {"low": self.low.tolist(), "high": self.high.tolist()}
