"""The choice of a model: by name, by resolution, by bands, with warnings outside what it was trained for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from landdamage.interpretation.models import ModelCard, available, choose_model
from minegis.errors import ModelError

CARD = {
    "version": "1",
    "network": {"name": "dl", "backbone": "mobilenetv2", "in_channels": 4, "classes": 8, "switches": {}},
    "tile": 512,
    "normalisation": "percentile-2-98",
    "temperature": 1.1,
    "weights_sha256": "0" * 64,
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    cards = [
        {"name": "fine", "bands": ["B", "G", "R", "N"], "optional_bands": ["N"], "gsd_m": 2.0, "gsd_range_m": [1, 4]},
        {"name": "coarse", "bands": ["B", "G", "R"], "gsd_m": 10.0, "gsd_range_m": [6, 20]},
    ]
    for card in cards:
        (tmp_path / f"{card['name']}.json").write_text(json.dumps({**CARD, **card}))
    return tmp_path


@pytest.mark.parametrize(
    ("gsd", "bands", "name", "codes"),
    [
        (2.0, "BGRN", "fine", []),
        (2.0, "RGBN", "fine", []),
        (2.0, "BGR", "fine", ["E-RAD-07"]),
        (10.0, "BGRN", "coarse", []),
        (4.4, "BGRN", "fine", ["E-MOD-02"]),  # nearest by ratio: 4.4/2 < 10/4.4
        (4.6, "BGRN", "coarse", ["E-MOD-02"]),
        (0.5, "BGR", "fine", ["E-MOD-02", "E-RAD-07"]),
        (90.0, "BGRN", "coarse", ["E-MOD-02"]),
    ],
)
def test_the_nearest_resolution_wins(folder: Path, gsd: float, bands: str, name: str, codes: list[str]) -> None:
    card, findings = choose_model(gsd, tuple(bands), folder=folder)
    assert (card.name, [f.code for f in findings]) == (name, codes)
    assert all(f.severity == "warn" for f in findings)


def test_windows_are_those_of_the_training_unless_the_card_says_otherwise(folder: Path) -> None:
    assert ModelCard.read(folder / "fine.json").window == 512
    (folder / "wide.json").write_text(json.dumps({**json.loads((folder / "fine.json").read_text()), "window": 1024}))
    card = ModelCard.read(folder / "wide.json")
    assert (card.tile, card.window) == (512, 1024)


def test_a_named_model_is_taken_and_its_limits_are_said(folder: Path) -> None:
    card, findings = choose_model(10.0, tuple("BGR"), "fine", folder=folder)
    assert card.name == "fine"
    assert [f.code for f in findings] == ["E-MOD-02", "E-RAD-07"]
    assert choose_model(10.0, tuple("BGR"), str(folder / "fine.json"))[0] == card


@pytest.mark.parametrize(("bands", "name"), [("GRN", None), ("SN", "coarse")])
def test_a_required_band_is_required(folder: Path, bands: str, name: str | None) -> None:
    with pytest.raises(ModelError) as caught:
        choose_model(10.0, tuple(bands), name, folder=folder)
    assert caught.value.code == "E-MOD-04"
    assert "B" in str(caught.value)


def test_an_unknown_model_names_the_known_ones(folder: Path) -> None:
    with pytest.raises(ModelError) as caught:
        choose_model(2.0, tuple("BGRN"), "finest", folder=folder)
    assert caught.value.code == "E-MOD-01"
    assert "coarse, fine" in caught.value.hint("en")


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"name": "x", "gsd_range_m": [1, 2], "bands": ["B"]}'])
def test_a_damaged_card_is_a_coded_error(tmp_path: Path, content: str) -> None:
    (tmp_path / "x.json").write_text(content)
    with pytest.raises(ModelError) as caught:
        ModelCard.read(tmp_path / "x.json")
    assert caught.value.code == "E-MOD-03"


def test_every_shipped_card_reads() -> None:
    for name, card in available().items():
        assert card.name == name == card.path.stem
        assert card.gsd_range_m[0] < card.gsd_m < card.gsd_range_m[1]
