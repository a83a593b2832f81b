"""Cards somebody brings: whatever could build a network of any size, or name a file, is refused by its key."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from landdamage.interpretation.models import available
from landdamage.learning.checkpoints import check_card, check_weights
from minegis.errors import ModelError
from tests.fixtures.model_world import SMALLEST


@pytest.fixture
def card(random_model: Callable[..., Path]) -> dict[str, Any]:
    return dict(json.loads(random_model("theirs", network=SMALLEST).read_text()))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("name", "../../etc/passwd"), ("name", ""), ("name", 7), ("version", "1/2"), ("weights_sha256", "A" * 64),
        ("network", SMALLEST | {"name": "os.system"}), ("network", SMALLEST | {"in_channels": 10**9}),
        ("network", SMALLEST | {"classes": 2}), ("network", SMALLEST | {"switches": {"decoder_convs": 10**6}}),
        ("network", SMALLEST | {"backbone": "vgg16"}), ("network", []), ("network", None), ("bands", ["B", "G"]),
        ("bands", ["B", "G", "R", "R"]), ("bands", "BGRN"), ("bands", ["<script>", "G", "R", "N"]),
        ("optional_bands", ["X"]), ("optional_bands", ["B", "G", "R", "N"]), ("gsd_m", float("nan")), ("gsd_m", -1),
        ("gsd_m", True), ("gsd_range_m", [4, 1]), ("gsd_range_m", [1]), ("tile", 10**9), ("tile", 2.5),
        ("window", 10**9), ("mirrored", "yes"),
        ("temperature", 0), ("temperature", float("inf")), ("normalisation", "none"), ("metrics", "good"),
    ],
)  # fmt: skip
def test_a_card_that_cannot_be_is_refused_by_its_key(card: dict[str, Any], key: str, value: Any) -> None:
    assert check_card(card)["name"] == "theirs"
    with pytest.raises(ModelError, match="E-MOD-15") as caught:
        check_card(card | {key: value})
    assert str(caught.value.values["value"]).partition(".")[0] in (key, "network")


@pytest.mark.parametrize("raw", [None, [], "x", 7, {}])
def test_what_is_no_card_is_refused(raw: Any) -> None:
    with pytest.raises(ModelError, match="E-MOD-15"):
        check_card(raw)


def test_a_switch_no_network_knows_is_a_coded_error(random_model: Callable[..., Path]) -> None:
    path = random_model("theirs", network=SMALLEST)
    check_weights(path.with_suffix(".safetensors"))
    raw = json.loads(path.read_text())
    path.write_text(json.dumps(raw | {"network": SMALLEST | {"switches": {"unknown": True}}}))
    with pytest.raises(ModelError, match="E-MOD-03"):
        check_weights(path.with_suffix(".safetensors"))


def test_every_shipped_card_passes() -> None:
    for found in available().values():
        check_card(json.loads(found.path.read_text("utf-8")))
