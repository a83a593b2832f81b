"""What a person may choose about a training, and which choices can be; known without torch, for doors that ask."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any, Final

from minegis.errors import TrainingError

ENCODERS: Final = ("mobilenetv2", "resnet50", "resnet101", "squeezenet")
# Name of every network and the encoders it takes, its default first; a test holds it to the networks themselves.
NETWORKS: Final = MappingProxyType(
    {
        "se-cot-dl": ENCODERS,
        "cot-dl": ENCODERS,
        "se-dl": ENCODERS,
        "dl": ENCODERS,
        "fcn": ("mobilenetv2", "resnet50", "resnet101", "vgg16"),
        "unet": ENCODERS,
        "unet-64": ("none",),
        "pspnet": ENCODERS,
    }
)
LOSSES: Final = ("ce-dice", "focal-dice", "ce-dice-lovasz", "ce-lovasz")
MOST_STEPS, MOST_BATCH = 1_000_000, 512


@dataclass(frozen=True, slots=True)
class Choices:
    """What a person may choose.

    Attributes:
        network: name in :data:`landdamage.networks.NETWORKS`.
        backbone: encoder; None is the network's own default.
        bands: of the set's, in the order wanted; None takes all.
        encoder_weights: file of weights learned on photographs, or ``imagenet``.
        loss: name in :data:`landdamage.learning.losses.LOSSES`.
        batch: tiles per step, over all devices.
        tile: side of the training windows; None is that of the set.
        learning_rate: peak; None is 1e-3, or 3e-4 where the encoder starts from weights.
        patience: validations without a better score after which training ends.
        fold: of a cross-validation: validate on this one, train on the others.
        seed: of weights, tiles and dropout.
        steps: of the whole run.
    """

    network: str = "se-cot-dl"
    backbone: str | None = None
    bands: tuple[str, ...] | None = None
    encoder_weights: str | None = None
    loss: str = "ce-dice"
    batch: int = 8
    tile: int | None = None
    learning_rate: float | None = None
    patience: int | None = 5
    fold: str | None = None
    seed: int = 1
    steps: int = 10_000


# What may be asked for over the web: a path on the server, or a file fetched from elsewhere, never comes from outside.
ASKED: Final = ("network", "backbone", "bands", "loss", "batch", "tile", "learning_rate", "patience", "seed", "steps")
_LIMITS: Final = {
    "batch": (2, MOST_BATCH),
    "tile": (32, 2048),
    "patience": (0, 1000),
    "seed": (0, 2**31 - 1),
    "steps": (1, MOST_STEPS),
}


def asked(values: Mapping[str, Any]) -> dict[str, Any]:
    """Choices from outside as plain values for ``Choices``; whatever is empty takes its default.

    Raises:
        TrainingError: E-TRN-14, a name or value that cannot be.
    """
    unknown = sorted(set(values) - set(ASKED))
    if unknown:
        raise TrainingError("E-TRN-14", value=", ".join(unknown), known=", ".join(ASKED))
    given: dict[str, Any] = {key: value for key, value in values.items() if value not in ("", None, [], ())}
    network = _one_of(given, "network", tuple(NETWORKS), Choices().network)
    _one_of(given, "backbone", NETWORKS[network], NETWORKS[network][0])
    _one_of(given, "loss", LOSSES, Choices().loss)
    for key, (low, high) in _LIMITS.items():
        if key in given:
            given[key] = _number(key, given[key], low, high, int)
    if "learning_rate" in given:
        given["learning_rate"] = _number("learning_rate", given["learning_rate"], 1e-7, 1.0, float)
    if "patience" in given:
        given["patience"] = given["patience"] or None
    if "bands" in given:
        bands = given["bands"].upper().split(",") if isinstance(given["bands"], str) else given["bands"]
        if not isinstance(bands, list | tuple) or not all(isinstance(band, str) for band in bands):
            raise TrainingError("E-TRN-14", value="bands", known="B,G,R,N")
        given["bands"] = [band.strip() for band in bands]
    return given


def chosen(values: Mapping[str, Any]) -> Choices:
    """The choices from what :func:`asked` made of them and a record kept."""
    known = {f.name for f in fields(Choices)}
    made: dict[str, Any] = {
        key: tuple(value) if key == "bands" and value else value for key, value in values.items() if key in known
    }
    return Choices(**made)


def _one_of(given: dict[str, Any], key: str, known: tuple[str, ...], default: str) -> str:
    value = given.get(key, default)
    if value not in known:
        raise TrainingError("E-TRN-14", value=f"{key}={value}", known=", ".join(known))
    return str(value)


def _number(key: str, value: Any, low: float, high: float, kind: type) -> Any:
    try:
        number = kind(value)
    except (TypeError, ValueError, OverflowError):
        number = None
    if number is None or not low <= number <= high:
        raise TrainingError("E-TRN-14", value=f"{key}={value}", known=f"{low:g}-{high:g}")
    return number
