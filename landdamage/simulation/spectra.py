"""Histograms and radial power spectra of images, to hold simulated scenes against real ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from landdamage.simulation.noise import Field

TILE = 128
FIT = (0.02, 0.25)  # cycles per pixel: between the tile's own size and the sensor's blur


def radial_spectrum(band: NDArray[np.generic], valid: NDArray[np.bool_] | None = None) -> tuple[Field, Field]:
    """Mean radial power spectrum over whole tiles of 128 pixels (Hann window, each tile to mean 0 and variance 1).

    Args:
        band: (H, W) numbers.
        valid: (H, W); tiles with invalid pixels are left out.

    Returns:
        Frequencies in cycles per pixel (0, 0.5] and power, both (63,).

    Raises:
        ValueError: no whole valid tile.
    """
    window = np.hanning(TILE)[:, None] * np.hanning(TILE)[None, :]
    fy, fx = np.fft.fftfreq(TILE)[:, None], np.fft.fftfreq(TILE)[None, :]
    ring = np.rint(np.hypot(fy, fx) * TILE).astype(int)
    powers = []
    for r in range(0, band.shape[0] - TILE + 1, TILE):
        for c in range(0, band.shape[1] - TILE + 1, TILE):
            part = (slice(r, r + TILE), slice(c, c + TILE))
            if valid is not None and not valid[part].all():
                continue
            tile = band[part].astype(np.float64)
            if tile.std() == 0:
                continue
            tile = (tile - tile.mean()) / tile.std()
            power = np.abs(np.fft.fft2(tile * window)) ** 2
            powers.append(np.bincount(ring.ravel(), power.ravel()) / np.bincount(ring.ravel()))
    if not powers:
        raise ValueError(f"no whole valid tile of {TILE} pixels")
    mean = np.mean(powers, axis=0)
    keep = slice(1, TILE // 2)
    return (np.arange(TILE)[keep] / TILE).astype(np.float32), mean[keep].astype(np.float32)


def slope(frequency: NDArray[np.floating], power: NDArray[np.floating]) -> float:
    """Exponent b of power ~ frequency ** -b, least squares in log-log between 0.02 and 0.25 cycles per pixel."""
    use = (frequency >= FIT[0]) & (frequency <= FIT[1])
    return -float(np.polyfit(np.log(frequency[use]), np.log(power[use]), 1)[0])
