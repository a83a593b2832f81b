"""Clips and enhancements as pages show them, with their job as the person may handle it."""

from __future__ import annotations

from enhancement.models import Clip, Enhancement
from minegis.access.permissions import Action, allowed
from minegis.access.requests import PageRequest
from minegis.jobs.pages import JobRow
from minegis.templatetags.ui import percent

READINGS = (
    "brightness", "contrast_gain", "noise", "residual", "colour_shift", "saturated", "flicker", "brightened", "dehazed",
)  # fmt: skip
SHARES = {"saturated": 1, "brightened": 0, "dehazed": 0}  # decimals of their percent
RATIOS = ("brightness", "contrast_gain", "noise", "flicker")


def readings_of(enhancement: Enhancement | None) -> dict[str, str]:
    """Texts of an enhancement's readings; a dash where one is missing."""
    values = enhancement.readings if enhancement else {}
    texts = {}
    for name in READINGS:
        value = values.get(name)
        if value is None or (name == "residual" and enhancement and enhancement.method == Enhancement.Method.LEDNET):
            texts[name] = "—"  # of a night's picture the dark channel says nothing
        elif name in SHARES:
            texts[name] = percent(value, SHARES[name])
        else:
            texts[name] = f"{'×' if name in RATIOS else ''}{value:.{2 if value >= 1 else 3}f}"
    return texts


class ClipRow:
    """A clip in a list."""

    def __init__(self, clip: Clip, request: PageRequest) -> None:
        self.clip = clip
        self.latest = next(iter(clip.enhancements.all()), None)
        checking = clip.state == Clip.State.CHECKING
        job = clip.job if checking else self.latest.job if self.latest else None
        self.job = JobRow(job, request) if job else None
        self.live = job is not None and job.is_active
        self.faults = sorted(clip.findings, key=lambda finding: finding.get("severity") != "error")
        self.watched = allowed(request.user, Action.WATCH_CLIP, clip.region, own=clip.uploader_id == request.user.pk)


class EnhancementRow:
    """An enhancement in the queue."""

    def __init__(self, row: Enhancement, request: PageRequest) -> None:
        self.row = row
        self.clip = row.clip
        self.job = JobRow(row.job, request) if row.job else None
        self.live = row.state in Enhancement.ACTIVE
        self.readings = readings_of(row)
        own = row.clip.uploader_id == request.user.pk
        succeeded = row.state == Enhancement.State.SUCCEEDED
        self.kept = succeeded and allowed(request.user, Action.DOWNLOAD_CLIP, row.clip.region, own=own)
