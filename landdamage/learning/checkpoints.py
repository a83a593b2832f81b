"""A model somebody brings: everything its card claims is held to limits before a network is built from it."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from landdamage.interpretation.models import ModelCard
from landdamage.learning.choices import NETWORKS
from landdamage.taxonomy import NETWORK_CLASS_COUNT
from minegis.errors import ModelError

NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}")
VERSION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,29}")
BAND: Final = re.compile(r"[A-Za-z0-9]{1,8}")
NORMALISATION: Final = "percentile-2-98"
MOST_BANDS, LEAST_BANDS = 16, 3
MOST_SWITCHES, LONGEST_SWITCH, LARGEST_SWITCH = 8, 20, 32
LARGEST_CARD_BYTES: Final = 2**20


def check_card(raw: Any) -> dict[str, Any]:
    """The card, if a network may be built from it; known without torch.

    Args:
        raw: what a JSON file held.

    Raises:
        ModelError: E-MOD-15, which key cannot be.
    """
    if not isinstance(raw, Mapping):
        raise ModelError("E-MOD-15", value="JSON", reason=type(raw).__name__)
    for key, holds in _RULES.items():
        try:
            right = holds(raw.get(key))
        except (TypeError, ValueError, KeyError, OverflowError, AttributeError):
            right = False
        if not right:
            raise ModelError("E-MOD-15", value=key, reason=_short(raw.get(key)))
    network, bands = raw["network"], raw["bands"]
    if network["in_channels"] != len(bands):
        raise ModelError("E-MOD-15", value="network.in_channels", reason=_short(network["in_channels"]))
    if not set(raw.get("optional_bands", [])) < set(bands):
        raise ModelError("E-MOD-15", value="optional_bands", reason=_short(raw.get("optional_bands")))
    return dict(raw)


def check_weights(weights: Path) -> None:
    """Build the network of a card that passed :func:`check_card` and give it the weights beside it.

    Raises:
        ModelError: E-MOD-03 the file is damaged or no safetensors, or not what the card names; E-MOD-07 the weights are
            another network's; E-MOD-08 they are not numbers; E-MOD-15 the network cannot be built.
    """
    from landdamage.interpretation.eager import load_network

    load_network(ModelCard.read(weights.with_suffix(".json")))


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _number(value: Any, low: float, high: float) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and math.isfinite(value) and low <= value <= high


def _whole(value: Any, low: int, high: int) -> bool:
    return isinstance(value, int) and _number(value, low, high)


def _text(pattern: re.Pattern[str]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None


def _bands(value: Any, least: int = LEAST_BANDS) -> bool:
    if not isinstance(value, list) or not least <= len(value) <= MOST_BANDS:
        return False
    return all(isinstance(b, str) and BAND.fullmatch(b) is not None for b in value) and len(set(value)) == len(value)


def _network(value: Any) -> bool:
    name, backbone = value["name"], value["backbone"]
    switches = value.get("switches", {})
    return (
        name in NETWORKS
        and (backbone is None or backbone in NETWORKS[name])
        and _whole(value["in_channels"], LEAST_BANDS, MOST_BANDS)
        and _whole(value["classes"], NETWORK_CLASS_COUNT, NETWORK_CLASS_COUNT)
        and isinstance(switches, dict)
        and len(switches) <= MOST_SWITCHES
        and all(_switch(one) for one in switches.values())
    )


def _switch(value: Any) -> bool:
    """A switch is a word, a flag or a small number: nothing that makes a network of any size."""
    if isinstance(value, str):
        return len(value) <= LONGEST_SWITCH
    return isinstance(value, bool) or _whole(value, 0, LARGEST_SWITCH)


def _range(value: Any) -> bool:
    return len(value) == 2 and all(_number(v, 0.01, 1000) for v in value) and value[0] <= value[1]


_RULES: Final[Mapping[str, Callable[[Any], bool]]] = {
    "name": _text(NAME),
    "version": _text(VERSION),
    "network": _network,
    "bands": _bands,
    "optional_bands": lambda value: value is None or _bands(value, 0),
    "gsd_m": lambda value: _number(value, 0.01, 1000),
    "gsd_range_m": _range,
    "tile": lambda value: _whole(value, 32, 2048),
    "window": lambda value: value is None or _whole(value, 0, 4096),
    "mirrored": lambda value: value is None or isinstance(value, bool),
    "normalisation": lambda value: value == NORMALISATION,
    "temperature": lambda value: _number(value, 0.01, 100),
    "weights_sha256": lambda value: isinstance(value, str) and re.fullmatch(r"[0-9a-f]{64}", value) is not None,
    "metrics": lambda value: value is None or isinstance(value, dict),
}
