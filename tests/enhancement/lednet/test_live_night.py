"""A camera's frames through the chain: dark ones brightened and steady, daylight left alone, large ones shrunk."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import torch

from enhancement.dehaze.fast import Dehazer
from enhancement.dehaze.settings import Settings, preset
from enhancement.lednet.apply import Enhancer
from enhancement.lednet.facts import Choice
from enhancement.lednet.live import ON_CPU, LiveNight
from enhancement.lednet.still import night_still
from enhancement.quality import flicker
from enhancement.video import live
from enhancement.video.atmosphere import Air, Measure
from tests.fixtures.clips import night_pictures, pictures
from tests.fixtures.rtsp import Camera, coded


def brighten(batch: torch.Tensor) -> torch.Tensor:
    """A stand-in for a trained network whose brightness depends on every single frame's noise."""
    return batch * (3 + 40 * (batch.mean((1, 2, 3), keepdim=True) - 0.06))


BRIGHT = Enhancer(brighten, {"name": "stand-in", "weights_sha256": "0"})
AIR = Air(np.array([0.7, 0.7, 0.7], np.float32), fresh=False, night=True)


def measure(time: float, luma: float) -> Measure:
    return Measure(time, False, False, (0.7, 0.7, 0.7), luma, 0.3)


def test_brightness_trembles_less_than_of_frames_enhanced_alone() -> None:
    rng = np.random.default_rng(1)
    frames = [
        np.clip(p * rng.uniform(0.9, 1.1), 0, 255).astype(np.uint8) for p in night_pictures(20, height=60, width=80)
    ]
    night = LiveNight(BRIGHT, Dehazer(Settings()), Choice())
    steady = [night(frame, AIR, measure(0.04 * k, 0.06)) / 255 for k, frame in enumerate(frames)]
    alone = [BRIGHT(frame) / 255 for frame in frames]
    assert np.mean(steady) > 2 * np.mean(frames) / 255
    assert flicker(steady) < 0.7 * flicker(alone)


def test_daylight_is_left_to_dehazing_unless_all_is_wanted() -> None:
    frame = pictures(1)[0]
    day = Air(AIR.light, fresh=True, night=False)
    night = LiveNight(BRIGHT, Dehazer(preset("standard")), Choice())
    assert night(frame, day, measure(0, 0.5)).mean() < frame.mean()
    off = LiveNight(BRIGHT, Dehazer(preset("standard")), Choice(dehaze=False))
    np.testing.assert_array_equal(off(frame, day, measure(0, 0.5)), frame)
    always = LiveNight(BRIGHT, Dehazer(preset("standard")), Choice(dehaze=False, always=True))
    assert always(frame, day, measure(0, 0.5)).mean() > frame.mean()
    assert (night.longest, LiveNight(Enhancer(brighten, device="meta"), Dehazer(), Choice()).longest) == (ON_CPU, None)


def test_a_relay_shrinks_what_the_network_could_not_keep_up_with(tmp_path: Path) -> None:
    hazy = pictures(1, height=180, width=320)[0]
    camera = Camera(lambda number: coded(hazy, number % 65_536), password="secret")
    seen: list[tuple[int, ...]] = []
    enough = threading.Event()

    def treat(frame: np.ndarray, air: Air, known: Measure) -> np.ndarray:
        seen.append(frame.shape)
        if len(seen) == 3:
            enough.set()
        return 255 - frame

    try:
        status = live.relay(
            camera.address, tmp_path, Dehazer(), should_stop=enough.is_set, treat=treat, longest=160
        )  # fmt: skip
    finally:
        camera.close()
    assert set(seen) == {(90, 160, 3)}
    assert (status.width, status.height) == (160, 90)


def test_a_still_gets_what_its_own_light_asks_for() -> None:
    dark, hazy = night_pictures(1, height=60, width=80)[0], pictures(1)[0]
    clear = np.full((40, 40, 3), 160, np.uint8)
    clear[::2] = 0  # a dark pixel in every window: no haze
    found = [night_still(x, BRIGHT, Choice(), preset("standard")) for x in (dark, hazy, clear)]
    assert [(one.brightened, one.dehazed) for one in found] == [(True, False), (False, True), (False, False)]
    assert [[f.code for f in one.findings] for one in found] == [[], [], ["E-ENH-16"]]
    np.testing.assert_array_equal(found[2].image, clear)
    sixteen = night_still(dark.astype(np.uint16) * 16, BRIGHT, Choice(), preset("standard"), bits=12)
    assert sixteen.brightened
    np.testing.assert_allclose(sixteen.image / 16, found[0].image, atol=1.1)
