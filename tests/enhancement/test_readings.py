"""Readings that need no clear picture: of flicker, and of videos and their results."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from enhancement.readings import read_videos, unsteadiness
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
