"""The fast path beside the literal formulas."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from enhancement.dehaze import reference
from enhancement.dehaze.fast import Dehazer
from enhancement.dehaze.settings import PRESETS, Settings, preset
from enhancement.haze_simulation import scene
from enhancement.quality import psnr
from minegis.errors import EnhancementError


def agree(frame: np.ndarray, settings: Settings) -> None:
    """Within 1/255 on average and 45 dB, which is what the fast path promises at equal settings."""
    exact = reference.dehaze(frame, settings)
    quick = Dehazer(replace(settings, night_gate=False))(frame)
    np.testing.assert_allclose(quick.light.airlight, exact.airlight, atol=1e-6)
    a, b = exact.image / 255.0, quick.image / 255.0
    assert np.abs(a - b).mean() < 1 / 255
    assert psnr(a, b) > 45


@pytest.mark.parametrize("name", list(PRESETS))
@pytest.mark.parametrize("kind", ["light", "dense", "dust"])
def test_simulated_haze(name: str, kind: str) -> None:
    agree(scene(11, kind, height=150, width=203).hazy, PRESETS[name])


@pytest.mark.parametrize("window", [5, 7, 13, 25, "auto"])
@pytest.mark.parametrize("airlight", ["robust", "seed", "veil"])
def test_every_window_and_air_light(window: int, airlight: str) -> None:
    agree(scene(3, "dense", height=97, width=122).hazy, Settings(window_size=window, airlight=airlight))  # type: ignore[arg-type]


@pytest.mark.parametrize(("height", "width"), [(1, 1), (2, 3), (7, 31), (64, 3), (33, 65)])
def test_odd_and_tiny_sizes(height: int, width: int) -> None:
    frame = np.random.default_rng(1).integers(100, 250, (height, width, 3)).astype(np.uint8)
    for radius in (1, 8, 40):
        settings = Settings(radius=radius, night_gate=False)
        difference = Dehazer(settings)(frame).image - reference.dehaze(frame, settings).image.astype(int)
        assert np.abs(difference).mean() < 1.5


def test_threads_change_nothing() -> None:
    frame = scene(5, "dense", height=131, width=90).hazy
    settings = preset("standard")
    alone, shared = Dehazer(settings)(frame), Dehazer(settings, threads=3)(frame)
    np.testing.assert_array_equal(alone.image, shared.image)


def test_a_view_of_an_array_is_as_good_as_a_copy() -> None:
    frame = scene(5, "dense", height=60, width=90).hazy
    rgb = np.ascontiguousarray(frame[..., ::-1])
    np.testing.assert_array_equal(Dehazer()(rgb[..., ::-1]).image, Dehazer()(frame).image)


NO_FRAMES = {
    "two axes": np.zeros((4, 4), np.uint8),
    "signed": np.zeros((4, 4, 3), np.int32),
    "empty": np.zeros((0, 4, 3), np.uint8),
    "no number": np.full((4, 4, 3), np.nan, np.float32),
}


@pytest.mark.parametrize("frame", NO_FRAMES.values(), ids=NO_FRAMES)
def test_what_is_no_frame_is_refused(frame: np.ndarray) -> None:
    with pytest.raises(EnhancementError, match="E-ENH-03"):
        Dehazer()(frame)


@pytest.mark.parametrize(
    "wrong", [{"omega": float("nan")}, {"omega": "much"}, {"airlight": "sun"}, {"window_size": "wide"}, {"radius": 0},
              {"eps": 0.0}, {"preset": 1}],
)  # fmt: skip
def test_settings_that_mean_nothing_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(EnhancementError, match="E-ENH-02"):
        preset("standard", **wrong).clamped()


def test_settings_out_of_range_are_clamped_and_named() -> None:
    settings, findings = Settings(omega=0.2, sky_thresh=2, window_size=40, t0=0.5).clamped()
    assert (settings.omega, settings.sky_thresh, settings.window_size, settings.t0) == (0.5, 1.0, 25, 0.3)
    assert {finding.field for finding in findings} == {"omega", "sky_thresh", "window_size", "t0"}
    assert Settings(window_size=8).clamped()[0].window_size == 9
    assert Settings().clamped() == (Settings(), [])


@pytest.mark.data
def test_real_haze(shared_data: Path) -> None:
    for name in ("tree.png", "fail.jpg"):  # the two smallest; benchmarks/bench_dehaze.py takes all of them
        with Image.open(shared_data / "enhancement" / "haze" / name) as image:
            frame = np.ascontiguousarray(np.asarray(image.convert("RGB"))[:, :, ::-1])
        agree(frame, Settings())
        agree(frame, preset("standard"))
