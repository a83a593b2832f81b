"""What an encoder starts from is said in words a card can hold, and what cannot be had ends in a code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from huggingface_hub import constants

from landdamage.interpretation.models import ModelCard, available
from landdamage.learning.encoders import NONE, start_encoder
from landdamage.networks import build
from minegis.errors import ModelError


def test_nothing_is_said_to_be_nothing() -> None:
    network = build("dl")
    before = network.backbone.body.features[0][0].weight.clone()
    assert start_encoder(network, None, tuple("BGRN")) == {"source": "none"}
    assert torch.equal(network.backbone.body.features[0][0].weight, before)


@pytest.mark.data
def test_a_file_is_loaded_and_named(shared_data: Path) -> None:
    file = shared_data / "enhancement" / "weights_squeezenet11" / "squeezenet1_1_half.pth"
    network = build("dl", "squeezenet", 4)
    facts = start_encoder(network, file, tuple("BGRN"))
    assert facts == {"source": "file", "file": file.name, "sha256": facts["sha256"], "tensors": 50}
    state = torch.load(file, weights_only=True)
    blue = network.backbone.body.features[0].weight[:, 0]
    assert torch.allclose(blue, 0.75 * state["features.0.weight"][:, 2].float())
    json.dumps(facts)


def test_weights_that_do_not_fit_end_in_a_code(tmp_path: Path) -> None:
    torch.save({"layer9.weight": torch.ones(1)}, tmp_path / "resnet50.pth")
    for path, code in ((tmp_path / "resnet50.pth", "E-MOD-12"), (tmp_path / "absent.pth", "E-MOD-11")):
        with pytest.raises(ModelError) as caught:
            start_encoder(build("dl"), path, tuple("BGRN"))
        assert caught.value.code == code
        assert path.name in caught.value.message("en")


@pytest.mark.parametrize("backbone", ["mobilenetv2", "squeezenet"])
def test_without_a_hub_there_is_a_code_and_not_random_weights(
    backbone: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ModelError) as caught:
        start_encoder(build("dl", backbone), "imagenet", tuple("BGRN"))
    assert caught.value.code == "E-MOD-13"


def test_shipped_cards_say_that_their_encoders_started_at_random() -> None:
    for card in available().values():
        assert card.encoder_weights == NONE
        assert "encoder_weights" in json.loads(Path(card.path).read_text("utf-8"))
    assert ModelCard.__dataclass_fields__["encoder_weights"].default is None  # an older card does not know
