"""A drone's flight over a satellite scene in dust: from any GeoTIFF a clip to show and to try the enhancement on.

The ground is taken for flat, so that a pinhole camera sees it through a homography and every row of the picture lies
at one distance, from which the haze follows: I = J t + A (1 - t), t = exp(-scattering · distance).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import rasterio
from PIL import Image
from rasterio.warp import transform

Picture = np.ndarray[Any, np.dtype[Any]]

BANDS = (1, 2, 3)  # of the scene: blue, green, red
STRETCH = (1.0, 99.0)  # percentiles of a band that become black and white
DUST = (0.60, 0.72, 0.82)  # air light in B, G, R
SCATTERING = 0.65  # per height of the flight: 0.4 of the light comes through from the nearest ground, 0.08 from far
PLUMES = 0.25  # by which drifting clouds of dust thicken and thin the haze
GRAIN = 1.5  # of 255: the sensor's noise
PITCH, VIEW = math.radians(30), math.radians(30)  # down from the horizon; the picture's height as an angle
HEIGHT, SPEED = 250.0, 6.0  # in pixels of the scene, and pixels per second
TURN, SWAY = math.radians(2.5), 4.0  # of the heading over the flight; to the sides, in pixels
MARGIN = 768  # mirrored pixels around the scene, for flights near its border
RATE = 25


@dataclass(frozen=True, slots=True)
class Camera:
    """Where the camera is over the scene (column, row, in pixels) and where it heads (column, row, length 1)."""

    column: float
    row: float
    ahead: tuple[float, float]


def homography(camera: Camera, width: int, height: int) -> Picture:
    """The matrix (3, 3) from pixels (x, y, 1) of the picture to those of the scene, homogeneous."""
    focal = height / 2 / math.tan(VIEW / 2)
    sine, cosine = math.sin(PITCH), math.cos(PITCH)
    # A pixel's ray: to the right, ahead and down per unit of depth; it meets the ground where down reaches HEIGHT.
    right = np.array([1, 0, -width / 2]) / focal
    below = np.array([0, 1, -height / 2]) / focal
    ahead = np.array([0, 0, cosine]) - sine * below
    down = np.array([0, 0, sine]) + cosine * below
    u, v = camera.ahead
    column = camera.column * down + HEIGHT * (u * ahead - v * right)
    row = camera.row * down + HEIGHT * (v * ahead + u * right)
    return np.stack([column, row, down])


def distance(width: int, height: int) -> Picture:
    """How far the ground seen in each pixel (H, W) is, in heights of the flight."""
    focal = height / 2 / math.tan(VIEW / 2)
    x, y = np.meshgrid(np.arange(width) - width / 2, np.arange(height) - height / 2)
    down = math.sin(PITCH) + math.cos(PITCH) * y / focal
    return np.sqrt(1 + (x / focal) ** 2 + (y / focal) ** 2) / down


def write_flight(
    scene: Path, output: Path, *, target: tuple[float, float] | None = None, seconds: float = 8.0,
    width: int = 960, height: int = 540, seed: int = 0,
) -> int:  # fmt: skip
    """Write an MP4 of a flight over a scene (a GeoTIFF of at least three bands: blue, green, red); returns its frames.

    ``target`` (longitude, latitude) is in the middle of the picture halfway, the scene's middle if it is None.
    """
    ground, (column, row) = read_ground(scene, target)
    rows, columns = ground.shape[0] - 2 * MARGIN, ground.shape[1] - 2 * MARGIN
    towards = math.atan2(rows / 2 - row, columns / 2 - column) if (column, row) != (columns / 2, rows / 2) else 0.0
    images = [Image.fromarray(ground), Image.fromarray(ground).reduce(2)]
    rng = np.random.default_rng(seed)
    haze = Haze(width, height, rng)
    count = round(seconds * RATE)
    with av.open(str(output), "w", format="mp4", options={"movflags": "faststart"}) as out:
        stream: Any = out.add_stream("libx264", rate=RATE, options={"preset": "veryfast", "crf": "18", "g": "50"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number in range(count):
            share = number / max(1, count - 1) - 0.5
            heading = towards + TURN * share
            ahead = (math.cos(heading), math.sin(heading))
            way = SPEED * seconds * share - HEIGHT / math.tan(PITCH)
            aside = SWAY * math.sin(2 * math.pi * share)
            camera = Camera(
                MARGIN + column + way * ahead[0] - aside * ahead[1],
                MARGIN + row + way * ahead[1] + aside * ahead[0],
                ahead,
            )  # fmt: skip
            clear = look(images, camera, width, height)
            frame = av.VideoFrame.from_ndarray(haze(clear, number), "rgb24")
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return count


def read_ground(scene: Path, target: tuple[float, float] | None) -> tuple[Picture, tuple[float, float]]:
    """The scene as bytes (H, W, 3), R, G, B, stretched and mirrored at its border; the target's column and row."""
    with rasterio.open(scene) as source:
        bands = source.read(BANDS)
        where = (source.width / 2, source.height / 2)
        if target is not None:
            (x,), (y,) = transform("EPSG:4326", source.crs, [target[0]], [target[1]])
            where = ~source.transform @ (x, y)
    known = (bands > 0).all(axis=0)
    planes = []
    for band in bands[::-1].astype(np.float32):
        low, high = np.percentile(band[known][::7] if known.any() else band, STRETCH)
        planes.append(np.clip((band - low) * (255 / max(high - low, 1e-6)), 0, 255).astype(np.uint8))
    margin = ((MARGIN, MARGIN), (MARGIN, MARGIN), (0, 0))
    return np.pad(np.dstack(planes), margin, mode="reflect" if min(known.shape) > MARGIN else "symmetric"), where


def look(images: list[Image.Image], camera: Camera, width: int, height: int) -> Picture:
    """What the camera sees without haze: bytes (H, W, 3), R, G, B. The far part, where several rows of the scene fall
    into one of the picture, is taken from the scene at half its size."""
    matrix = homography(camera, width, height)
    edge = int(height * 0.4)
    parts = []
    for image, scale, first, last in ((images[1], 2, 0, edge), (images[0], 1, edge, height)):
        shifted = matrix @ np.array([[1, 0, 0], [0, 1, first], [0, 0, 1.0]])
        shifted[:2] /= scale
        values = (shifted / shifted[2, 2]).ravel()[:8]
        part = image.transform(
            (width, last - first), Image.Transform.PERSPECTIVE, tuple(values), Image.Resampling.BILINEAR
        )
        parts.append(np.asarray(part))
    return np.concatenate(parts)


class Haze:
    """Dust by distance, with clouds that drift, and the sensor's grain."""

    def __init__(self, width: int, height: int, rng: np.random.Generator) -> None:
        self._depth = (SCATTERING * distance(width, height)).astype(np.float32)
        self._light = np.array(DUST[::-1], np.float32) * 255
        self._grain = rng.normal(0, GRAIN, (height + 64, width + 64, 1)).astype(np.float32)
        self._rng = rng
        coarse = Image.fromarray(rng.normal(size=(9, 40)).astype(np.float32))
        self._plumes = np.tanh(np.asarray(coarse.resize((2 * width, height), Image.Resampling.BICUBIC)))

    def __call__(self, clear: Picture, number: int) -> Picture:
        """A picture (bytes, R, G, B) in dust."""
        height, width = clear.shape[:2]
        x = (3 * number // 2) % width
        t = np.exp(-self._depth * (1 + PLUMES * self._plumes[:, x : x + width]))[..., None]
        top, left = self._rng.integers(0, 64, 2)
        hazy = (clear - self._light) * t + self._light + self._grain[top : top + height, left : left + width]
        return np.clip(hazy + 0.5, 0, 255, out=hazy).astype(np.uint8)
