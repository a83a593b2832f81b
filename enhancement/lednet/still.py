"""A single picture through the chain: haze out where it shows, LEDNet where it is dark."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from enhancement.dehaze.fast import Dehazer
from enhancement.dehaze.pixels import full_scale
from enhancement.dehaze.settings import Settings
from enhancement.lednet.apply import Enhancer, Picture
from enhancement.lednet.facts import DARK, Choice
from enhancement.quality import GREY
from minegis.errors import Finding


@dataclass(frozen=True, slots=True)
class NightStill:
    """A picture as it came out, what was done to it, what was remarkable."""

    image: Picture
    dehazed: bool
    brightened: bool
    findings: list[Finding]


def mean_luma(picture: Picture, full: float) -> float:
    """Mean luma, 0..1, of (H, W, 3) B, G, R whose white is ``full``; of every n-th pixel of large pictures."""
    step = max(1, int((picture.shape[0] * picture.shape[1] / 2**20) ** 0.5))
    return float((picture[::step, ::step].astype(np.float32) @ GREY.astype(np.float32)).mean() / full)


def night_still(
    picture: Picture, enhancer: Enhancer, choice: Choice, settings: Settings, *, bits: int | None = None,
    threads: int = 1,
) -> NightStill:  # fmt: skip
    """Enhance one picture, bytes or 9 to 16 ``bits``, as a frame of a video would be, but by its own light alone.

    Raises:
        EnhancementError: E-ENH-03, not such a picture.
    """
    full = full_scale(picture, bits)
    brightened = choice.always or mean_luma(picture, full) < DARK
    dehazed, findings = False, []
    if choice.dehaze:
        dehazer = Dehazer(settings, threads=threads)
        done = dehazer(picture, bits=bits)
        picture, dehazed = done.image, not done.passed_through
        # That it is too dark, or clear, is what the chain is for and no warning here.
        findings = [finding for finding in done.findings if finding.code not in ("E-ENH-04", "E-ENH-05")]
    if brightened:
        picture = enhancer(picture, full)
    if not (brightened or dehazed):
        findings.append(Finding("E-ENH-16", values={"value": 1, "total": 1}))
    return NightStill(picture, dehazed, brightened, findings)
