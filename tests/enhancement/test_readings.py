"""Readings that need no clear picture: of flicker, and of videos and their results."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from enhancement.readings import noise_of, read_pictures, read_videos, unsteadiness
from tests.fixtures.clips import pictures, write_clip


def test_a_tremble_counts_and_a_pan_does_not() -> None:
    noise = np.random.default_rng(5).normal(0, 0.01, 4000)
    assert unsteadiness(list(0.5 + noise)) == pytest.approx(0.01, rel=0.05)
    assert unsteadiness(list(np.linspace(0.2, 0.8, 50))) == pytest.approx(0, abs=1e-12)
    assert unsteadiness([0.5]) == 0.0


def test_a_flickering_result_is_told_from_a_steady_one(tmp_path: Path) -> None:
    frames = pictures(30)
    source = write_clip(tmp_path / "source.mp4", frames, options={"crf": "10"})
    clear = [np.clip((frame.astype(int) - 128) * 1.5 + 128, 0, 255).astype(np.uint8) for frame in frames]
    steady = write_clip(tmp_path / "steady.mp4", clear, options={"crf": "10"})
    trembling = [np.clip(frame.astype(int) + 12 * (i % 2), 0, 255).astype(np.uint8) for i, frame in enumerate(clear)]
    restless = write_clip(tmp_path / "restless.mp4", trembling, options={"crf": "10"})
    good, bad = (read_videos(source, path, 1.2) for path in (steady, restless))
    assert good["contrast_gain"] == pytest.approx(1.5, rel=0.1)
    assert good["flicker"] < 3
    assert bad["flicker"] > 10 * good["flicker"]
    assert good["brightness"] == pytest.approx(np.mean(clear) / np.mean(frames), rel=0.1)


def test_noise_is_measured_in_proportion_to_the_brightness() -> None:
    rng = np.random.default_rng(3)
    ramp = np.repeat(np.linspace(30, 60, 120)[None], 90, 0)[..., None].repeat(3, 2)
    dark = ramp + rng.normal(0, 4, (90, 120, 1))
    assert noise_of(dark) == pytest.approx(4 / 255, rel=0.05)
    assert noise_of(ramp) < 0.1 / 255
    brighter, cleaner = (np.clip(x, 0, 255).astype(np.uint8) for x in (dark * 2, ramp * 2 + (dark - ramp) / 2))
    before = dark.astype(np.uint8)
    assert read_pictures(before, brighter)["noise"] == pytest.approx(1, rel=0.05)
    found = read_pictures(before, cleaner)
    assert found["noise"] == pytest.approx(0.25, rel=0.1)
    assert found["brightness"] == pytest.approx(2, rel=0.05)
