"""Peers, scores, artefacts, and sets of pairs made by the command."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from enhancement.haze_simulation import mining_scene
from enhancement.lednet import artefacts, peers, sets
from enhancement.lednet.degradation.pipeline import Pair
from enhancement.lednet.degrade_cli import main as degrade_main
from enhancement.lednet.evaluate import evaluate, held_back, markdown, score
from tests.fixtures.clips import pictures, write_clip


def test_zero_dce_bends_curves_and_sci_divides_by_light() -> None:
    state = {f"e_conv{k}.{part}": torch.zeros(shape) for k, n_in, n_out in
             ((1, 3, 32), (2, 32, 32), (3, 32, 32), (4, 32, 32), (5, 64, 32), (6, 64, 32), (7, 64, 24))
             for part, shape in (("weight", (n_out, n_in, 3, 3)), ("bias", (n_out,)))}  # fmt: skip
    x = torch.full((1, 3, 4, 4), 0.25)
    assert torch.equal(peers.zero_dce(state, x), x)
    state["e_conv7.bias"] += -0.5
    expected = 0.25
    for _ in range(8):
        expected += np.tanh(-0.5) * (expected**2 - expected)
    assert peers.zero_dce(state, x)[0, 0, 0, 0].item() == pytest.approx(expected, rel=1e-5)
    zero, one = torch.zeros(3), torch.ones(3)
    light = {"enhance.in_conv.0.weight": torch.zeros(3, 3, 3, 3), "enhance.in_conv.0.bias": zero,
             "enhance.blocks.0.0.weight": torch.zeros(3, 3, 3, 3), "enhance.blocks.0.0.bias": zero,
             "enhance.blocks.0.1.running_mean": zero, "enhance.blocks.0.1.running_var": one,
             "enhance.blocks.0.1.weight": one, "enhance.blocks.0.1.bias": zero,
             "enhance.out_conv.0.weight": torch.zeros(3, 3, 3, 3), "enhance.out_conv.0.bias": zero}  # fmt: skip
    assert peers.sci(light, x)[0, 0, 0, 0].item() == pytest.approx(0.25 / 0.75)


def test_classical_methods_brighten() -> None:
    picture = mining_scene(0, height=40, width=50).astype(np.float32) * np.float32(0.1)
    for method in peers.CLASSICAL.values():
        found = method(picture)
        assert found.shape == picture.shape
        assert found.mean() > 1.5 * picture.mean()
        assert found.min() >= 0
        assert found.max() <= 1


def test_what_dirt_hides_counts_for_nobody() -> None:
    clear = (mining_scene(1, height=40, width=40) * 255).astype(np.uint8)
    seen = np.ones((40, 40), bool)
    wrong = clear / 255.0
    wrong[:20] = 0
    assert score(wrong, Pair(clear, clear, seen), None)["psnr"] < 20
    seen[:20] = False
    found = score(wrong, Pair(clear, clear, seen), None)
    assert found["psnr"] == 100
    assert found["mae"] == 0
    assert found["ssim"] == pytest.approx(1)


def test_halos_blocks_and_inventions_are_found() -> None:
    clean = artefacts.measure(lambda picture: np.clip(picture * 3, 0, 1))

    def sharpened(picture: np.ndarray) -> np.ndarray:
        from scipy import ndimage

        bright = picture * 3
        return bright + 2 * (bright - ndimage.gaussian_filter(bright, (4, 4, 0)))

    assert clean.halo < 0.005 < 0.02 < artefacts.measure(sharpened).halo
    blocks = np.kron(np.arange(16), np.ones(8))[None, :, None] / 60 + np.zeros((128, 1, 3))
    assert artefacts.blocking(blocks) > 3
    y, x = np.mgrid[0:128, 0:128] / 300
    assert artefacts.blocking(np.repeat((x + y)[..., None], 3, 2)) == pytest.approx(1, abs=0.01)
    waves = 0.1 + 0.05 * np.sin(np.arange(128) / 5)[None, :, None] + np.zeros((128, 1, 3))
    assert artefacts.invented(waves) > 0.1 > 0.05 > clean.invented


def test_a_table_of_methods_is_made(tmp_path: Path) -> None:
    for k in range(3):
        path = tmp_path / "sharp" / "urban100" / f"img_{k:03d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((mining_scene(k, height=64, width=64) * 255).astype(np.uint8)).save(path)
    pairs = held_back(sets.split(tmp_path)["test"], side=48)
    assert {kind: len(chosen) for kind, chosen in pairs.items()} == {"night": 1, "dark": 1, "blur": 1, "clean": 1}
    table = evaluate({"input": lambda x: x, "gamma 0.4": peers.gamma}, pairs)
    assert table["input"]["clean"]["psnr"] == 100 > table["gamma 0.4"]["clean"]["psnr"]
    assert table["gamma 0.4"]["dark"]["psnr"] > table["input"]["dark"]["psnr"]
    text = markdown(table, dict.fromkeys(pairs, 1))
    assert "| gamma 0.4 |" in text
    assert text.count("darkness alone (1)") == 1


def test_the_command_makes_the_same_set_twice(tmp_path: Path) -> None:
    given = tmp_path / "in"
    given.mkdir()
    for k in range(2):
        Image.fromarray((mining_scene(k, height=60, width=80) * 255).astype(np.uint8)).save(given / f"p{k}.png")
    write_clip(given / "c.mp4", pictures(8))
    for name in ("one", "two"):
        arguments = ["--count", "2", "--windows", "1", "--kind", "mixed", "--longest", "70", "--seed", "3"]
        assert degrade_main([str(given), "-o", str(tmp_path / name), *arguments]) == 0
    rows = json.loads((tmp_path / "one" / "pairs.json").read_text())["pairs"]
    assert [row["name"] for row in rows] == ["c-000", "p0-000", "p0-001", "p1-000", "p1-001"]
    assert {row["kind"] for row in rows} >= {"night", "dark", "blur"}
    for row in rows:
        for part in ("dark", "clear"):
            one, two = ((tmp_path / name / part / f"{row['name']}.png").read_bytes() for name in ("one", "two"))
            assert one == two
    with Image.open(tmp_path / "one" / "sheet-001.jpg") as sheet:
        assert sheet.size == (3 * 192, 5 * 192)
    assert degrade_main([str(tmp_path / "one" / "seen" / "none"), "-o", str(tmp_path / "x"), "--lang", "en"]) == 2
