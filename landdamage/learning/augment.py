"""Random changes that keep the labels true: geometry for image and mask alike, photometry for the image alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

Image = NDArray[np.float32]
Labels = NDArray[np.uint8]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Photometry:
    """Strengths of the photometric changes, in units of the stretched image (0 at p2, 1 at p98).

    Attributes:
        gain: half range of the factor per band.
        offset: half range of the shift per band.
        gamma: largest gamma (the smallest is its inverse).
        noise: largest standard deviation of the pixel noise.
        haze: probability of a veil of haze over part of the tile.
        band_dropout: probability that the droppable bands are lost.
    """

    gain: float = 0.2
    offset: float = 0.08
    gamma: float = 1.25
    noise: float = 0.03
    haze: float = 0.1
    band_dropout: float = 0.15


def rescale(image: Image, labels: Labels, valid: Mask, side: int) -> tuple[Image, Labels, Mask]:
    """Resample a square crop to side × side: image bilinear (area-averaged when shrinking), labels and mask nearest."""
    if image.shape[-1] == side and image.shape[-2] == side:
        return image, labels, valid
    small = F.interpolate(
        torch.from_numpy(image)[None], size=(side, side), mode="bilinear", align_corners=False, antialias=True
    )[0].numpy()
    rows = _nearest(labels.shape[0], side)
    columns = _nearest(labels.shape[1], side)
    return small, labels[np.ix_(rows, columns)], valid[np.ix_(rows, columns)]


def _nearest(length: int, side: int) -> NDArray[np.intp]:
    return np.minimum(((np.arange(side) + 0.5) * length / side).astype(np.intp), length - 1)


def flip_and_turn(rng: np.random.Generator, *arrays: NDArray[Any], turn: bool = True) -> tuple[NDArray[Any], ...]:
    """A random symmetry of the square, the same for every array (..., H, W) with H = W.

    Args:
        rng: source of chance.
        arrays: image, labels, masks.
        turn: all eight symmetries; False keeps north up (left-right mirror only), and so keeps the shadows, by which
            a hole is told from a heap, on the side where the sun puts them.
    """
    turns, mirror = int(rng.integers(4)) if turn else 0, bool(rng.integers(2))
    turned = (np.rot90(a, turns, axes=(-2, -1)) for a in arrays)
    return tuple(np.ascontiguousarray(a[..., ::-1] if mirror else a) for a in turned)


def photometry(
    rng: np.random.Generator, image: Image, valid: Mask, strength: Photometry, droppable: tuple[int, ...] = ()
) -> Image:
    """Gain, offset and gamma per band, a haze veil, noise, lost bands; (C,H,W) network input in and out.

    Args:
        rng: source of chance.
        image: network input of :meth:`Stretch.network_input`.
        valid: (H,W); invalid pixels stay 0.
        strength: how much of each.
        droppable: indexes of the bands that may be absent in use; a lost band is 0 everywhere.
    """
    bands = image.shape[0]
    shape = (bands, 1, 1)
    u = image / 4.0 + 0.5
    gain = 1 + rng.uniform(-strength.gain, strength.gain, shape)
    offset = rng.uniform(-strength.offset, strength.offset, shape)
    u = (u * gain + offset).astype(np.float32)
    # One gamma for all bands and a little per band: strongly different gammas would change the hue beyond reason.
    log_gamma = np.log(strength.gamma)
    gamma = np.exp(rng.uniform(-log_gamma, log_gamma) + rng.uniform(-0.25, 0.25, shape) * log_gamma)
    u = np.where(u > 0, np.abs(u) ** gamma, u).astype(np.float32)
    if rng.random() < strength.haze:
        u = _haze(rng, u)
    noise = rng.uniform(0, strength.noise)
    u += rng.standard_normal(u.shape, dtype=np.float32) * np.float32(noise)
    out = ((np.clip(u, -0.5, 2.0) - 0.5) * 4.0).astype(np.float32)
    if droppable and rng.random() < strength.band_dropout:
        out[list(droppable)] = 0.0
    out[:, ~valid] = 0.0
    return out


def _haze(rng: np.random.Generator, u: Image) -> Image:
    """I = J·t + A·(1 - t) with a smooth transmission t of 0.55-1."""
    coarse = torch.from_numpy(rng.random((1, 1, 3, 3), dtype=np.float32))
    field = F.interpolate(coarse, size=u.shape[-2:], mode="bicubic", align_corners=True)[0, 0].numpy()
    transmission = 1 - np.clip(field, 0, 1) * np.float32(rng.uniform(0.1, 0.45))
    return (u * transmission + np.float32(rng.uniform(0.8, 1.1)) * (1 - transmission)).astype(np.float32)
