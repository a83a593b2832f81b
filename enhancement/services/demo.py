"""The demonstration's video: a camera at a mine, a dusty flight over a scene as its clip, the clip without its dust.

Called by ``make demo`` only. Idempotent: what is there already stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from django.conf import settings
from django.contrib.gis.geos import Point

from enhancement.models import Clip, Enhancement
from enhancement.services.enhancements import enhancement_start
from enhancement.services.frames import frame_pin
from minegis.access.models import User
from minegis.errors import MineGISError
from minegis.jobs.models import Job
from minegis.jobs.services import job_retry
from minegis.registry.models import SRID, Camera, Mine
from minegis.registry.services import camera_save

CAMERA = ("DEMO-UAV", "无人机(演示)", "Drone (demo)")
NAME = "DEMO_flight_dust.mp4"
Send = Callable[[Path, dict[str, str]], None]  # a file and its metadata to the server, as an uploader does
Wait = Callable[[Job], None]  # until a job has ended


def show_video(
    *, scene: Path, target: tuple[float, float], user: User, send: Send, wait: Wait, seconds: float = 8.0
) -> Enhancement:
    """A camera at the mine that holds ``target`` (longitude, latitude), a flight over it, the flight enhanced.

    Args:
        scene: a GeoTIFF with blue, green and red.
        target: what the camera looks at.
        user: whose camera, enhancement and pinned frame these are: a reviewer.
        send: takes the clip to the server.
        wait: for a job's end.
        seconds: length of the clip.

    Raises:
        MineGISError: E-REG-05, no mine is there; E-VID-16, the check or the enhancement failed.
    """
    camera = _camera(user, Point(*target, srid=SRID))
    clip = Clip.objects.filter(camera=camera).exclude(state=Clip.State.REJECTED).first()
    if clip is None:
        send(_flight(scene, target, seconds), {"filename": NAME, "kind": "clip", "camera": camera.code})
        clip = Clip.objects.get(camera=camera, file_name=NAME)
    if clip.state == Clip.State.CHECKING and clip.job is not None:
        wait(clip.job)
    clip = Clip.objects.select_related("region", "camera").get(pk=clip.pk)
    if not clip.is_ready:
        raise MineGISError("E-VID-16", state=clip.state)
    made = clip.enhancements.select_related("job").first() or enhancement_start(clip=clip, user=user, remember=True)
    if made.job is not None and made.state != Enhancement.State.SUCCEEDED:
        if made.state in (Enhancement.State.FAILED, Enhancement.State.CANCELLED):  # of an earlier, interrupted one
            job_retry(job=made.job)
        wait(made.job)
        made.refresh_from_db()
    if made.state != Enhancement.State.SUCCEEDED:
        raise MineGISError("E-VID-16", state=made.state)
    if camera.mine is not None and not clip.evidence_frames.exists():
        frame_pin(clip=clip, enhancement=made, user=user, mine=camera.mine, seconds=(clip.seconds or 0) / 2)
    return made


def _camera(user: User, place: Point) -> Camera:
    code, zh, en = CAMERA
    known = Camera.objects.select_related("mine", "region").filter(code=code).first()
    if known is not None:
        return known
    mines = Mine.objects.visible_to(user).select_related("region")
    found = mines.filter(boundary__contains=place).first() or mines.filter(influence_zone__contains=place).first()
    return camera_save(user=user, code=code, name_zh=zh, name_en=en, mine=found, location=place)


def _flight(scene: Path, target: tuple[float, float], seconds: float) -> Path:
    """The clip, drawn once."""
    from enhancement.flight import write_flight

    path = Path(settings.STORAGE_ROOT).parent / "demo" / NAME
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{NAME}.part")
        write_flight(scene, part, target=target, seconds=seconds)
        part.replace(path)
    return path
