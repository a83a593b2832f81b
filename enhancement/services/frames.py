"""Pinning a frame as evidence: a PNG of the very frame, with its hash, for a mine."""

from __future__ import annotations

import hashlib
import io

import numpy as np
from django.db import transaction
from PIL import Image

from enhancement.models import Clip, Enhancement, EvidenceFrame
from enhancement.services import files
from minegis.access.models import User
from minegis.access.permissions import Action, require
from minegis.access.querysets import region_prefix
from minegis.errors import VideoError
from minegis.registry.models import Mine


def frame_pin(
    *, clip: Clip, enhancement: Enhancement | None, user: User, mine: Mine, seconds: float = 0.0, note: str = ""
) -> EvidenceFrame:
    """Keep one frame of a clip, or of a result of it, for a mine.

    Args:
        clip: a ready one.
        enhancement: a finished one of this clip, or None for the original.
        user: who pins it.
        mine: for which; it lies in the clip's region.
        seconds: the moment as players show it.
        note: what it shows.

    Returns:
        The record; pinned again, the same frame is the same record.

    Raises:
        ForbiddenError: the user may not pin frames of this clip.
        VideoError: E-VID-16 clip or result is not ready; E-VID-17 no frame then; E-VID-20 the mine is elsewhere.
    """
    from enhancement.video.shots import number_of, shot_at

    require(user, Action.PIN_FRAME, clip.region, own=clip.uploader_id == user.pk)
    if not clip.is_ready:
        raise VideoError("E-VID-16", state=clip.state)
    if enhancement is not None and enhancement.state != Enhancement.State.SUCCEEDED:
        raise VideoError("E-VID-16", state=enhancement.state)
    if not mine.region.code.startswith(region_prefix(clip.region.code)):
        raise VideoError("E-VID-20", value=mine.code)
    source = enhancement.result_sha256 if enhancement else clip.sha256
    path = files.path_of(source)
    if clip.kind == Clip.Kind.IMAGE:
        from enhancement import images
        from enhancement.inspection import eight_bits

        number, time, picture = 0, 0.0, eight_bits(images.read(path, clip.file_name))
    else:
        number, time = number_of(path, seconds)
        picture = shot_at(path, time).picture
    png = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(picture[:, :, ::-1])).save(png, format="PNG")
    sha256 = hashlib.sha256(png.getvalue()).hexdigest()
    with transaction.atomic():
        Mine.objects.select_for_update(of=("self",)).get(pk=mine.pk)  # two at once become one
        known = EvidenceFrame.objects.filter(mine=mine, sha256=sha256).first()
        if known is not None:
            return known
        png.seek(0)
        stored = files.store().put(png)
        return EvidenceFrame.objects.create(
            clip=clip,
            enhancement=enhancement,
            mine=mine,
            number=number,
            seconds=time,
            width=picture.shape[1],
            height=picture.shape[0],
            sha256=stored.sha256,
            bytes=stored.bytes,
            source_sha256=source,
            note=note.strip()[:200],
            pinned_by=user,
        )
