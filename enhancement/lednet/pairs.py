"""Batches of pairs, each a function of its step alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from enhancement.lednet import sets
from enhancement.lednet.degradation.pipeline import KINDS, Chances, Pair, degrade

Picture = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, slots=True)
class Mixture:
    """What a batch is made of.

    Attributes:
        real: share of real pairs; the rest is degraded.
        video: share of the degraded nights and blurs that come from sequences.
        kinds: shares of night, dark, blur and clean among the degraded.
        shrink: most that a picture is reduced before a crop is taken: a small crop then shows much of it.
        light: real dark pictures are given 2^±this of their light, in stops.
        chances: of the degradation.
    """

    real: float = 0.25
    video: float = 0.15
    kinds: tuple[float, float, float, float] = (0.5, 0.2, 0.2, 0.1)
    shrink: float = 3.0
    light: float = 0.5
    chances: Chances = field(default_factory=lambda: Chances(reach=(0.5, 8.0), dust=0.3, dirt=0.1))


class PairSource:
    """Draws pairs from pictures held in memory.

    Args:
        sharp: collections of pictures, bytes (H, W, 3), B, G, R; each collection is as likely as any other.
        real: real pairs of bytes.
        sequences: successive frames.
        mixture: shares.
    """

    def __init__(
        self, sharp: Sequence[Sequence[Picture]], real: Sequence[tuple[Picture, Picture]] = (),
        sequences: Sequence[Sequence[Picture]] = (), mixture: Mixture | None = None,
    ) -> None:  # fmt: skip
        self.sharp = [collection for collection in sharp if collection]
        self.real, self.sequences, self.mixture = real, sequences, mixture or Mixture()

    @classmethod
    def of(cls, part: sets.Split, mixture: Mixture | None = None, video_windows: int = 20) -> PairSource:
        """Everything a part of the data names, read into memory."""
        return cls(
            [[sets.read(path) for path in paths] for paths in part.sharp.values()],
            [(sets.read(dark), sets.read(clear)) for dark, clear in part.real],
            sets.windows(part.video, video_windows) if part.video else [],
            mixture,
        )

    def pair(self, seed: Sequence[int], side: int) -> Pair:
        """One pair of side x side pixels; equal seeds give equal pairs."""
        rng = np.random.default_rng([*seed, 99])
        mixture = self.mixture
        turn = int(rng.integers(8))
        if self.real and rng.random() < mixture.real:
            dark, clear = self.real[int(rng.integers(len(self.real)))]
            cut = _cut(clear.shape, side, mixture.shrink, rng)
            stops = float(rng.uniform(-mixture.light, mixture.light))
            pair = Pair(_lit(cut(dark), stops), cut(clear), np.ones((side, side), bool), {"kind": "real"})
        else:
            kind = KINDS[int(rng.choice(4, p=np.array(mixture.kinds) / sum(mixture.kinds)))]
            moving = kind in ("night", "blur") and rng.random() < mixture.video
            if moving and self.sequences:
                frames = self.sequences[int(rng.integers(len(self.sequences)))]
                half = int(rng.integers(4, len(frames) // 2 + 1))
                middle = len(frames) // 2
                cut = _cut(frames[0].shape, side, mixture.shrink, rng)
                pair = degrade([cut(x) for x in frames[middle - half : middle + half + 1]], seed, kind, mixture.chances)
            else:
                collection = self.sharp[int(rng.integers(len(self.sharp)))]
                picture = collection[int(rng.integers(len(collection)))]
                cut = _cut(picture.shape, side, mixture.shrink, rng)
                pair = degrade(cut(picture), seed, kind, mixture.chances)
        return _turned(pair, turn)

    def batch(self, seed: Sequence[int], count: int, side: int, part: range | None = None) -> tuple[Tensor, Tensor]:
        """(count,3,side,side) R, G, B in [0, 1], and (count,4,side,side): the label and where it counts.

        ``part``: which of the ``count`` are made, if not all.
        """
        return tensors([self.pair((*seed, k), side) for k in (range(count) if part is None else part)])


def tensors(pairs: Sequence[Pair]) -> tuple[Tensor, Tensor]:
    """Pairs of one size as a batch."""
    dark = to_tensor(np.stack([pair.dark for pair in pairs]))
    clear = to_tensor(np.stack([pair.clear for pair in pairs]))
    seen = torch.from_numpy(np.stack([pair.seen for pair in pairs])).float()[:, None]
    return dark, torch.cat([clear, seen], 1)


def to_tensor(pictures: Picture) -> Tensor:
    """Bytes (N, H, W, 3), B, G, R, to (N,3,H,W) R, G, B in [0, 1]."""
    return torch.from_numpy(np.ascontiguousarray(pictures[..., ::-1])).permute(0, 3, 1, 2).float() / 255


def _cut(shape: tuple[int, ...], side: int, shrink: float, rng: np.random.Generator) -> Callable[[Picture], Picture]:
    """A square somewhere in a picture of a shape, reduced (or, if the picture is smaller, enlarged) to ``side``."""
    height, width = shape[:2]
    most = min(height, width) / side
    factor = float(np.exp(rng.uniform(0, np.log(max(1.0, min(shrink, most))))))
    length = min(side * factor, height, width)
    left, top = rng.uniform(0, width - length), rng.uniform(0, height - length)
    if length == side:
        left, top = int(left), int(top)
    box = (left, top, left + length, top + length)

    def cut(picture: Picture) -> Picture:
        image = Image.fromarray(picture).resize((side, side), Image.Resampling.BOX, box=box)
        return np.asarray(image)

    return cut


def _lit(dark: Picture, stops: float) -> Picture:
    """A dark picture with 2^stops of its light, by the power law of 2.2."""
    table = np.clip(np.arange(256) * 2.0 ** (stops / 2.2), 0, 255).round().astype(np.uint8)
    return table[dark]


def _turned(pair: Pair, turn: int) -> Pair:
    """One of the eight ways a square can lie."""

    def turned(picture: Picture) -> Picture:
        return np.rot90(picture[:, ::-1] if turn > 3 else picture, turn % 4)

    return Pair(turned(pair.dark), turned(pair.clear), turned(pair.seen), pair.steps)
