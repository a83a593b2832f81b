"""The weights that come with MineGIS: there, what their card says, and worth having."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from enhancement.haze_simulation import mining_scene
from enhancement.lednet import apply
from enhancement.lednet.apply import Enhancer, shipped
from enhancement.lednet.cli import main
from enhancement.lednet.degradation.pipeline import degrade
from enhancement.lednet.facts import SHIPPED, shipped_card
from enhancement.lednet.tiles import computed_pixels
from enhancement.quality import GREY, psnr
from minegis.errors import EnhancementError
from minegis.training import checkpoint


def test_the_card_names_the_weights_and_what_they_cannot_do() -> None:
    state, card = checkpoint.load(SHIPPED)
    assert state
    assert card == shipped_card()
    assert (card["name"], card["network"]["name"]) == ("lednet-t", "lednet")
    assert card["limits"]
    assert card["trained_on"]
    assert card["held_back"]["test"]


def test_a_dark_picture_becomes_brighter_and_nearer_to_the_clear_one() -> None:
    clear = np.round(mining_scene(3, height=96, width=128) * 255).astype(np.uint8)
    pair = degrade(clear, [9, 1], "dark")
    after = Enhancer.load(SHIPPED)(pair.dark)
    before, bright, wanted = ((x / 255.0) @ GREY for x in (pair.dark, after, pair.clear))
    assert bright.mean() > 1.5 * before.mean()
    assert psnr(after / 255.0, pair.clear / 255.0) > psnr(pair.dark / 255.0, pair.clear / 255.0) + 2
    assert np.corrcoef(bright.ravel(), wanted.ravel())[0, 1] > 0.8


def test_a_process_loads_them_once_for_all_its_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    from concurrent.futures import ThreadPoolExecutor

    loaded = []
    real = Enhancer.load
    monkeypatch.setattr(apply, "_shipped", {})
    monkeypatch.setattr(Enhancer, "load", lambda *args, **named: loaded.append(args) or real(*args, **named))
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: shipped(), range(4)))
    assert len(loaded) == 1
    assert all(one is found[0] for one in found)


def test_weights_that_are_not_there_are_named_with_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(EnhancementError) as missing:
        shipped(tmp_path / "lednet-t.safetensors")
    with pytest.raises(EnhancementError, match="E-ENH-15"):
        shipped_card(tmp_path / "lednet-t.safetensors")
    assert (missing.value.code, missing.value.status) == ("E-ENH-15", 503)
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    arguments = [
        str(tmp_path / "a.png"),
        "-o",
        str(tmp_path / "b.png"),
        "--weights",
        str(tmp_path / "none.safetensors"),
    ]
    assert main([*arguments, "--lang", "en"]) == 2
    said = capsys.readouterr().err
    assert "E-ENH-15" in said
    assert "none.safetensors" in said
    assert "enhancement/weights/" in said


def test_the_work_of_a_picture_is_what_the_network_really_reads() -> None:
    for height, width in ((90, 161), (5, 700), (770, 1000)):
        read = []

        def network(batch, read=read):
            read.append(batch.shape[2] * batch.shape[3])
            return batch

        Enhancer(network).floats(np.zeros((1, 3, height, width), np.float32))
        assert computed_pixels(height, width) == pytest.approx(sum(read), rel=0.03)
