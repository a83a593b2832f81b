"""The demonstration's video: from a scene to a camera with an enhanced clip, once however often it is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin

from enhancement import flight
from enhancement.models import Clip, Enhancement, EvidenceFrame
from enhancement.services import demo, files
from minegis.registry.models import Camera

SIZE = 320


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    """A checkerboard of fields around 87.005 E 43.005 N, 2 m pixels, blue, green, red and near infrared."""
    y, x = np.mgrid[0:SIZE, 0:SIZE] // 16
    shade = np.where((x + y) % 2, 600, 1800)
    bands = np.stack([shade * 0.6, shade * 0.8, shade, shade]).astype(np.uint16)
    path = tmp_path / "scene.tif"
    with rasterio.open(
        path, "w", driver="GTiff", width=SIZE, height=SIZE, count=4, dtype="uint16", crs="EPSG:4538",
        transform=from_origin(500_087, 4_761_960, 2, 2),
    ) as out:  # fmt: skip
        out.write(bands)
    return path


def test_the_target_is_in_the_middle_and_far_ground_is_hazier(scene: Path, tmp_path: Path) -> None:
    with rasterio.open(scene) as source:
        middle = source.transform @ (SIZE / 2, SIZE / 2)
    (lon,), (lat,) = flight.transform("EPSG:4538", "EPSG:4326", [middle[0]], [middle[1]])
    _, (column, row) = flight.read_ground(scene, (lon, lat))
    assert (column, row) == pytest.approx((SIZE / 2, SIZE / 2), abs=0.1)
    back = flight.HEIGHT / np.tan(flight.PITCH)
    camera = flight.Camera(column - back, row, (1.0, 0.0))
    x, y, depth = flight.homography(camera, 96, 54) @ [48, 27, 1]
    assert (x / depth, y / depth) == pytest.approx((column, row))
    far, near = flight.distance(96, 54)[[0, -1], 48]
    assert near < 1 / np.sin(flight.PITCH) < far

    path = tmp_path / "out.mp4"
    assert flight.write_flight(scene, path, seconds=0.4, width=320, height=180) == 10
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray(format="rgb24").astype(float) for frame in container.decode(video=0)]
    assert len(frames) == 10
    assert frames[0][-30:].std() > 1.5 * frames[0][:30].std()
    light = np.array(flight.DUST[::-1]) * 255
    assert (
        np.abs(frames[0][:20].mean(axis=(0, 1)) - light).max() < np.abs(frames[0][-20:].mean(axis=(0, 1)) - light).max()
    )
    assert np.abs(frames[9] - frames[0]).mean() > 3, "it does not move"


@pytest.mark.django_db
def test_a_stranger_finds_a_camera_with_an_enhanced_clip(
    scene: Path, footage: Any, make_user: Any, regions: Any, send_clip: Any, run_job: Any
) -> None:
    user = make_user("reviewer", regions.changji)
    sent: list[str] = []

    def send(path: Path, metadata: dict[str, str]) -> None:
        sent.append(metadata.pop("filename"))
        metadata.pop("kind")
        send_clip(user, path, name=sent[-1], **metadata)

    asked = {"scene": scene, "target": (87.005, 43.005), "user": user, "send": send, "wait": run_job, "seconds": 0.4}
    for _ in range(2):
        made = demo.show_video(**asked)  # type: ignore[arg-type]
    assert sent == [demo.NAME]
    camera = Camera.objects.get(code=demo.CAMERA[0])
    assert (camera.mine, camera.location.coords) == (footage.mine, (87.005, 43.005))
    clip = Clip.objects.get(camera=camera)
    assert (clip.state, clip.frames, clip.width, clip.height, clip.proxy_sha256) == ("ready", 10, 960, 540, "")
    assert Enhancement.objects.get(clip=clip) == made
    assert made.readings["contrast_gain"] > 1.2
    assert files.path_of(made.result_sha256).is_file()
    pinned = EvidenceFrame.objects.get(clip=clip)
    assert (pinned.enhancement, pinned.mine) == (made, footage.mine)
