"""A picture's fingerprint that survives another exposure, a little noise, recompression, mirroring and turning.

Signs of the low frequencies of a small grey picture (perceptual hash by DCT, Zauner 2010, with 143 instead of 64 bits,
because tiles of one desert look alike). Copies differ in few bits, different ground in about half of them.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dctn

from landdamage.imagery.radiometry import Stretch

SIDE: Final = 32  # of the small picture
LOW: Final = 12  # frequencies kept along each axis
BITS: Final = LOW * LOW - 1  # without the mean
TWIN: Final = 16  # differing bits up to which two pictures are the same; by chance that happens once in 10^22 pairs
FLAT: Final = 0.01  # contrast, in units of the stretch, below which a picture has no fingerprint
_WORDS: Final = 3  # of 64 bits
_CHUNK: Final = 2048


def fingerprint(pixels: NDArray[Any], valid: NDArray[np.bool_], stretch: Stretch) -> str:
    """Hexadecimal fingerprint of a tile; empty where the picture is flat or hardly there.

    Args:
        pixels: (C,H,W) digital numbers.
        valid: (H,W).
        stretch: of the whole image.
    """
    if valid.mean() < 0.5:
        return ""
    low, high = stretch.low[:3, None, None], stretch.high[:3, None, None]
    grey = np.clip((pixels[:3] - low) / (high - low), -0.5, 2.0).mean(axis=0)
    grey[~valid] = grey[valid].mean()
    small = _shrink(grey)
    if small.std() < FLAT:
        return ""
    return _bits(small).tobytes().hex()


def _shrink(grey: NDArray[np.float64]) -> NDArray[np.float64]:
    """Means of 32 x 32 equal parts."""
    for axis, length in enumerate(grey.shape):
        edges = np.linspace(0, length, SIDE + 1).astype(np.int64)[:-1]
        sizes = np.diff(np.append(edges, length))
        grey = np.add.reduceat(grey, edges, axis=axis) / (sizes[:, None] if axis == 0 else sizes)
    return grey


def _bits(small: NDArray[np.float64]) -> NDArray[np.uint64]:
    low = dctn(small, norm="ortho")[:LOW, :LOW].ravel()[1:] > 0
    return np.packbits(np.append(low, np.zeros(_WORDS * 64 - BITS, bool))).view(np.uint64)


def _decode(prints: list[str]) -> NDArray[np.uint64]:
    return np.frombuffer(bytes.fromhex("".join(prints)), np.uint64).reshape(len(prints), _WORDS)


def _symmetries(words: NDArray[np.uint64]) -> list[NDArray[np.uint64]]:
    """Fingerprints (N,3) of the eight mirrored and turned pictures: a mirror changes the sign of odd frequencies."""
    bits = np.unpackbits(words.view(np.uint8), axis=1)[:, :BITS].astype(bool)
    square = np.concatenate([np.zeros((len(bits), 1), bool), bits], axis=1).reshape(-1, LOW, LOW)
    odd = np.arange(LOW) % 2 == 1
    out = []
    for turned in (square, square.transpose(0, 2, 1)):
        for upside in (False, True):
            for sideways in (False, True):
                flip = (odd[:, None] & upside) ^ (odd & sideways)
                low = (turned ^ flip).reshape(len(bits), -1)[:, 1:]
                padded = np.concatenate([low, np.zeros((len(bits), _WORDS * 64 - BITS), bool)], axis=1)
                out.append(np.packbits(padded, axis=1).view(np.uint64))
    return out


def twins(one: list[str], other: list[str]) -> list[tuple[int, int]]:
    """Positions of pictures of two lists that are nearly the same, mirrored and turned copies included.

    Empty fingerprints are like nothing.
    """
    here = [i for i, text in enumerate(one) if text]
    there = [i for i, text in enumerate(other) if text]
    if not here or not there:
        return []
    left, right = _decode([one[i] for i in here]), _decode([other[i] for i in there])
    if len(left) > len(right):  # the eight variants are made of the shorter list
        return sorted((i, j) for j, i in twins(other, one))
    found: set[tuple[int, int]] = set()
    for variant in _symmetries(left):
        for start in range(0, len(right), _CHUNK):
            part = right[start : start + _CHUNK]
            differing = np.zeros((len(variant), len(part)), np.uint16)
            for word in range(_WORDS):
                differing += np.bitwise_count(variant[:, None, word] ^ part[None, :, word])
            for i, j in np.argwhere(differing <= TWIN):
                found.add((here[int(i)], there[start + int(j)]))
    return sorted(found)
