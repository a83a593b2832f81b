"""One stretch per scene: what the eye and the network see of raw digital numbers.

Percentiles are taken once per scene over valid pixels (never per tile, which would make seams); the same numbers
normalise the network's input in training and in interpretation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.io import DatasetReader

from landdamage.imagery.open import cache_for, open_raster, read_tags
from landdamage.imagery.pixels import decimated_shape, read_pixels

LOW_PERCENT, HIGH_PERCENT = 2.0, 98.0
LOW_TAG, HIGH_TAG = "P2", "P98"  # band tags of every COG the product writes
ENOUGH_PIXELS = 1_000_000
_SAMPLE_SIDES = (1280, 2560, 5120)


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
        # Band by band: a sample of all bands in double precision would be the largest array of the whole program.
        pairs = [np.percentile(band.astype(np.float64), [LOW_PERCENT, HIGH_PERCENT]) for band in keep]
        low, high = np.transpose(pairs)
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


def scene_stretch(path: Path | str, indexes: Sequence[int]) -> Stretch:
    """The one stretch of a scene: percentiles 2 and 98 of its valid pixels.

    A COG of the product carries them in its band tags; for any other file they are measured on a decimated read
    (overviews where there are any) with at least 10⁶ valid pixels where the image has so many.

    Args:
        path: an image file.
        indexes: 1-based band numbers, in the order wanted.

    Raises:
        SceneError: the file cannot be opened.
    """
    with open_raster(path) as dataset:
        return dataset_stretch(dataset, indexes)


def dataset_stretch(dataset: DatasetReader, indexes: Sequence[int], *, mask: bool = True) -> Stretch:
    """``scene_stretch`` of an open image; ``mask`` says whether its mask or alpha band is to be believed."""
    return _tagged_stretch(dataset, indexes) or measured_stretch(dataset, indexes, mask=mask)


def _tagged_stretch(dataset: DatasetReader, indexes: Sequence[int]) -> Stretch | None:
    """The stretch in the band tags; None where one is missing or makes no sense."""
    tags = [read_tags(dataset, i) for i in indexes]
    try:
        low, high = (np.array([float(tag[name]) for tag in tags]) for name in (LOW_TAG, HIGH_TAG))
    except (KeyError, ValueError):
        return None
    return Stretch(low, high) if np.isfinite([low, high]).all() and (high > low).all() else None


def measured_stretch(dataset: DatasetReader, indexes: Sequence[int], *, mask: bool = True) -> Stretch:
    """The stretch measured on the pixels, whatever the tags say."""
    with rasterio.Env(GDAL_CACHEMAX=cache_for(dataset, 1, dataset.width)):
        for side in _SAMPLE_SIDES:
            pixels, valid = read_pixels(dataset, indexes, out_shape=decimated_shape(dataset, side), mask=mask)
            if valid.sum() >= ENOUGH_PIXELS or side >= max(dataset.width, dataset.height):
                break
    return Stretch.from_pixels(pixels, valid)


def display_stretch(path: Path | str, indexes: Sequence[int]) -> Stretch:
    """The stretch for the eye: as ``scene_stretch``, but 8-bit images, already stretched, stay as they are."""
    with open_raster(path) as dataset:
        if all(dataset.dtypes[i - 1] == "uint8" for i in indexes):
            return Stretch(np.zeros(len(indexes)), np.full(len(indexes), 255.0))
        return dataset_stretch(dataset, indexes)
