"""All eight steps in their order: one seed, one pair. Every step draws from a stream of its own.

1 and 2, mean of frames in light; 3, streaks of clipped lamps; 4, lens; 5, dust and dirt; 6, darkness; 7, noise;
8, bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from enhancement.lednet.degradation import coding, darkness, dust, lens, motion, noise
from enhancement.lednet.degradation.response import SRGB, Response

Picture = np.ndarray[Any, np.dtype[Any]]
Kind = Literal["night", "dark", "blur", "clean"]
KINDS: tuple[Kind, ...] = ("night", "dark", "blur", "clean")
CLIP = 3  # frames of a clip that H.264 codes
FAINT = 0.1  # of the noise a blurred picture of the day has


@dataclass(frozen=True, slots=True)
class Chances:
    """How often a step happens, and how far a shaken camera strays.

    Attributes:
        lens, dust, dirt, coded: of steps 4, 5 and 8.
        h264: share of what is coded that goes through H.264, as the last frame of a clip, instead of JPEG.
        power: share of the nights made by the power law; the others have less light.
        reach: pixels of shake, from and to.
        frames: of a shaken still, odd, from and to.
        turn: largest angle of the shake, radians.
    """

    lens: float = 0.5
    dust: float = 0.5
    dirt: float = 0.2
    coded: float = 0.5
    h264: float = 0.0
    power: float = 0.5
    reach: tuple[float, float] = (1.0, 12.0)
    frames: tuple[int, int] = (9, 33)
    turn: float = 0.01


@dataclass(slots=True)
class Pair:
    """``dark`` and ``clear``: bytes (H, W, 3), B, G, R. ``seen`` (H, W): where the clear picture can be known at all.

    ``steps``: what was drawn.
    """

    dark: Picture
    clear: Picture
    seen: Picture
    steps: dict[str, Any] = field(default_factory=dict)


def stream(seed: Sequence[int] | int, step: int) -> np.random.Generator:
    """The random numbers of one step."""
    return np.random.default_rng([*(seed if isinstance(seed, Sequence) else [seed]), step])


def degrade(
    sharp: Picture | Sequence[Picture], seed: Sequence[int] | int, kind: Kind = "night",
    chances: Chances | None = None, response: Response | None = None,
) -> Pair:  # fmt: skip
    """Make a pair.

    Args:
        sharp: a still (H, W, 3), B, G, R, bytes or floats in [0, 1], which a shaken camera is drawn over; or an odd
            number of successive frames of a fast or interpolated video, whose middle one becomes the label.
        seed: equal seeds give equal pairs.
        kind: "night" all steps; "dark" no motion, no lens blur; "blur" no darkness; "clean" nothing at all.
        chances: of steps.
        response: of the camera; sRGB if None.
    """
    chances, response = chances or Chances(), response or SRGB()
    still = isinstance(sharp, np.ndarray)
    frames = [_floats(frame) for frame in ([sharp] if isinstance(sharp, np.ndarray) else sharp)]
    label = frames[len(frames) // 2]
    clear = coding.quantised(label)
    steps: dict[str, Any] = {"kind": kind}
    seen = np.ones(label.shape[:2], bool)
    if kind == "clean":
        return Pair(clear.copy(), clear, seen, steps)
    if kind == "dark":
        light = motion.true_light(label, response, stream(seed, 3))
    elif still:
        light = motion.shaken(motion.true_light(label, response, stream(seed, 3)), _course(seed, chances, steps))
    else:
        light = motion.average(frames, response, stream(seed, 3))
        steps["frames"] = len(frames)
    rng = stream(seed, 4)
    if kind != "dark" and rng.random() < chances.lens:
        weights = lens.draw(rng)
        light, steps["lens"] = lens.blur(light, weights), weights.shape[0]
    rng = stream(seed, 5)
    if kind == "night" and rng.random() < chances.dust:
        light, steps["dust"] = dust.dusty(light, rng), True
    rng = stream(seed, 50)
    if kind == "night" and rng.random() < chances.dirt:
        (light, seen), steps["dirt"] = dust.dirty(light, rng), True
    light = np.clip(light, 0, 1)
    if kind != "blur":
        light = _darkened(light, stream(seed, 6), chances, response, steps)
    rng = stream(seed, 7)
    sensor = noise.draw(rng)
    if kind == "blur":
        sensor = noise.Sensor(sensor.shot * FAINT, sensor.read * FAINT)
    steps["noise"] = [sensor.shot, sensor.read, sensor.rows]

    def read() -> Picture:
        return coding.quantised(response.to_shown(noise.noisy(light, sensor, rng)))

    dark = read()
    coder = stream(seed, 8)
    if coder.random() < chances.coded:
        quality, rate, gop = (
            int(coder.integers(*limits, endpoint=True)) for limits in (coding.JPEG, coding.CRF, coding.GOP)
        )
        if coder.random() < chances.h264:
            # A frame of a clip is predicted from earlier ones, which had noise of their own.
            dark, steps["h264"] = coding.h264([read() for _ in range(CLIP - 1)] + [dark], rate, gop)[-1], rate
        else:
            dark, steps["jpeg"] = coding.jpeg(dark, quality), quality
    return Pair(dark, clear, seen, steps)


def _floats(frame: Picture) -> Picture:
    if frame.dtype == np.uint8:
        return frame.astype(np.float32) / np.float32(255)
    return np.clip(np.nan_to_num(np.asarray(frame, np.float32)), 0, 1)


def _course(seed: Sequence[int] | int, chances: Chances, steps: dict[str, Any]) -> Picture:
    rng = stream(seed, 1)
    reach = float(np.exp(rng.uniform(*np.log(chances.reach))))
    least, most = chances.frames
    # Half a pixel between frames: more would be seen as separate ghosts.
    count = int(np.clip(4 * np.ceil(reach) + 1, least, most)) // 2 * 2 + 1
    steps["shake"] = [reach, count]
    return motion.shake(rng, count, reach, float(rng.uniform(0, chances.turn)))


def _darkened(
    light: Picture, rng: np.random.Generator, chances: Chances, response: Response, steps: dict[str, Any]
) -> Picture:
    if rng.random() < chances.power:
        shown = response.to_shown(light)
        exponent, factor = darkness.draw_power(shown, rng)
        steps["power"] = [exponent, factor]
        return response.to_linear(darkness.by_power(shown, exponent, factor))
    stops = float(rng.uniform(*darkness.STOPS))
    steps["stops"] = stops
    return darkness.by_exposure(light, stops)
