"""How long an enhancement will take on this machine, from what earlier ones took, else from a short trial."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from statistics import median
from typing import Any, Literal

import numpy as np
from django.conf import settings

from enhancement.lednet.tiles import computed_pixels
from enhancement.models import Clip
from enhancement.services.clips import WORKERS
from enhancement.services.methods import JOB_KIND, NIGHT
from minegis.jobs.models import Job

PACE = "ms_per_megapixel"  # in the result of a job
LEAST = 20.0  # megapixels that a job must have done for its pace to be trusted
RECENT = 5  # jobs whose median counts
LARGE = 500.0  # megapixels below which nobody need ask whether a job is too long
TRIAL = (270, 480)  # a still of the usual shape: its network stays compiled for previews
CODING = 12.0  # ms per megapixel and worker for decoding and encoding, which the trial does not do


@dataclass(frozen=True, slots=True)
class Estimate:
    """Seconds of work without the time in the queue; upper bound for ``chain``, whose daylight goes faster.

    ``basis`` says whether earlier jobs of this installation or a trial in this process told the pace.
    """

    seconds: float
    ms_per_megapixel: float
    basis: Literal["jobs", "trial"]


def megapixels(clip: Clip, method: str) -> float:
    """What a method has to compute for a clip: for the night's methods what the network reads of tiles and padding."""
    height, width = clip.height or 0, clip.width or 0
    if not (height and width):
        return 0.0
    per_frame = computed_pixels(height, width) if method in NIGHT else height * width
    return per_frame * (clip.frames or 1) / 1e6


def estimate(clip: Clip, method: str) -> Estimate:
    """How long a method takes for a clip.

    Raises:
        EnhancementError: E-ENH-15, a trial needs the network and its weights are not there.
    """
    work = megapixels(clip, method)
    pace = learned(method)
    if pace is not None:
        return Estimate(pace * work / 1000, pace, "jobs")
    pace = _trial(method in NIGHT)
    return Estimate(pace * work / 1000, pace, "trial")


def learned(method: str) -> float | None:
    """Milliseconds per megapixel as the last jobs of the kind had it; None before the first."""
    ended = Job.objects.filter(kind=JOB_KIND[method], state=Job.State.SUCCEEDED, result__has_key=PACE)
    found = ended.order_by("-finished_at").values_list("result", flat=True)[:RECENT]
    paces = [float(result[PACE]) for result in found]
    return median(paces) if paces else None


def ahead(method: str) -> int:
    """Jobs that wait or run in the queue that the method's job would join."""
    queue = settings.JOB_KINDS[JOB_KIND[method]]["queue"]
    return Job.objects.filter(queue=queue, state__in=Job.ACTIVE).count()


@lru_cache(maxsize=2)
def _trial(night: bool) -> float:
    """Milliseconds per megapixel of one small frame, here and now."""
    frame = np.random.default_rng(0).integers(0, 64, (*TRIAL, 3), np.uint8)
    call: Callable[[Any], Any]
    if night:
        from enhancement.lednet.apply import shipped

        call, shared = shipped(), 1  # a pass of the network keeps all cores busy
    else:
        from enhancement.dehaze.fast import Dehazer

        call, shared = Dehazer(), WORKERS
    call(frame)  # compiles
    taken = []
    for _ in range(3):
        began = time.perf_counter()
        call(frame)
        taken.append(time.perf_counter() - began)
    return 1000 * min(taken) / (frame[..., 0].size / 1e6) / shared + CODING / WORKERS
