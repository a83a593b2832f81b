"""Reads of the enhancement: what a person may see, and a still with trial parameters."""

from __future__ import annotations

import base64
import io
import time
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from django.contrib.auth.models import AnonymousUser
from django.db.models import Prefetch, QuerySet
from PIL import Image

from enhancement.dehaze.settings import Settings
from enhancement.lednet.facts import Choice
from enhancement.models import Clip, Enhancement, EvidenceFrame
from enhancement.services.files import path_of
from minegis.access.querysets import region_prefix
from minegis.errors import Finding
from minegis.registry.models import Camera, Mine, Region

if TYPE_CHECKING:
    from minegis.access.models import User

PREVIEW = 960  # pixels of a preview's longer side
NIGHT_PREVIEW = 480  # with LEDNet, which takes as long for a quarter of the pixels
READ = 240  # of the picture that its readings are taken from
QUALITY = 85  # of its JPEG


def clips_visible(user: User | AnonymousUser) -> QuerySet[Clip]:
    """Clips with their enhancements, newest first."""
    runs = Enhancement.objects.select_related("job", "started_by").order_by("-created_at")
    found: QuerySet[Clip] = Clip.objects.visible_to(user)
    return found.select_related("region", "camera", "mine", "uploader", "job", "upload").prefetch_related(
        Prefetch("enhancements", runs)
    )


def enhancements_visible(user: User | AnonymousUser) -> QuerySet[Enhancement]:
    """Enhancements with clip and job."""
    found: QuerySet[Enhancement] = Enhancement.objects.visible_to(user)
    return found.select_related("clip__region", "clip__camera", "clip__uploader", "job", "started_by")


def frames_visible(user: User | AnonymousUser) -> QuerySet[EvidenceFrame]:
    """Pinned frames."""
    found: QuerySet[EvidenceFrame] = EvidenceFrame.objects.visible_to(user)
    return found.select_related("clip__region", "clip__uploader", "mine", "enhancement", "pinned_by")


def cameras_visible(user: User | AnonymousUser) -> QuerySet[Camera]:
    """Cameras with mine and region."""
    found: QuerySet[Camera] = Camera.objects.visible_to(user)
    return found.select_related("mine", "region").defer("mine__boundary", "mine__influence_zone", "region__geom")


def mines_of(region: Region, user: User | AnonymousUser) -> QuerySet[Mine]:
    """Mines of a region, subordinate ones included, that a person may see."""
    found: QuerySet[Mine] = Mine.objects.visible_to(user)
    inside = found.filter(region__code__startswith=region_prefix(region.code))
    return inside.defer("boundary", "influence_zone").select_related("region").order_by("code")


@dataclass(frozen=True, slots=True)
class Preview:
    """A still before and after: JPEGs as data URLs, readings, findings, the frame's time, what it took in ms."""

    before: str
    after: str
    readings: dict[str, float]
    findings: list[Finding]
    seconds: float
    took_ms: float


def preview(clip: Clip, settings: Settings, seconds: float = 0.0, choice: Choice | None = None) -> Preview:
    """Enhance one frame of a clip, shrunk to at most 960 pixels (480 with a ``choice``, for the night's network), with
    lengths shrunk alike.

    Raises:
        VideoError: E-VID-17, no frame at that moment.
        EnhancementError: E-ENH-15, the network's weights are not there.
    """
    from enhancement.readings import read_pictures

    began = time.perf_counter()
    most = NIGHT_PREVIEW if choice else PREVIEW
    picture, at, longest, shown = _still(clip.kind, str(path_of(clip.sha256)), seconds, most)
    settings = _shrunk(settings, longest / max(picture.shape[:2]), picture.shape)
    image, findings, extra = _enhanced(picture, settings, choice)
    return Preview(
        before=shown,
        after=_data_url(image),
        readings=read_pictures(picture, image, READ) | extra,
        findings=findings,
        seconds=at,
        took_ms=1000 * (time.perf_counter() - began),
    )


def _enhanced(picture: Any, settings: Settings, choice: Choice | None) -> tuple[Any, list[Finding], dict[str, float]]:
    if choice is None:
        from enhancement.dehaze.fast import Dehazer

        hazeless = Dehazer(settings)(picture)
        return hazeless.image, hazeless.findings, {}
    from enhancement.lednet.apply import shipped
    from enhancement.lednet.still import night_still

    done = night_still(picture, shipped(), choice, settings)
    return done.image, done.findings, {"brightened": float(done.brightened), "dehazed": float(done.dehazed)}


@lru_cache(maxsize=12)
def _still(kind: str, path: str, seconds: float, most: int) -> tuple[Any, float, int, str]:
    """A frame, its time, the longer side of the full picture, the frame as data URL; the last few are kept for the next
    slider's move."""
    from enhancement import images
    from enhancement.inspection import eight_bits
    from enhancement.video.shots import shot_at

    if kind == Clip.Kind.IMAGE:
        full = eight_bits(images.read(Path(path)))
        longest = max(full.shape[:2])
        if longest > most:
            image = Image.fromarray(full)
            image.thumbnail((most, most))
            full = np.asarray(image)
        return np.ascontiguousarray(full), 0.0, longest, _data_url(full)
    shot = shot_at(Path(path), seconds, most)
    return shot.picture, shot.time, shot.longest, _data_url(shot.picture)


def _shrunk(settings: Settings, factor: float, shape: tuple[int, ...]) -> Settings:
    """Settings whose lengths fit a picture ``factor`` times smaller than the full one."""
    if factor <= 1:
        return settings
    height, width = (round(side * factor) for side in shape[:2])
    window = settings.window(height, width)
    radius = settings.filter_radius(window)
    return replace(settings, window_size=max(5, round(window / factor)) | 1, radius=max(1, round(radius / factor)))


def _data_url(picture: Any) -> str:
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(picture[:, :, ::-1])).save(file, format="JPEG", quality=QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()
