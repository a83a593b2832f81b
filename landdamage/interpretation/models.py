"""Which trained model reads a scene: cards say what each model saw, the choice follows resolution and bands."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from minegis.errors import Finding, ModelError

WEIGHTS = Path(__file__).resolve().parents[1] / "weights"
BAND_ORDER = "BGRN"
TIERS = (("fine", 1.0), ("metre", 5.0), ("ten-metre", math.inf))  # name, and the sampling distance it ends below


@dataclass(frozen=True)
class ModelCard:
    """What a model is and what it was trained on, from the JSON file beside its weights.

    Attributes:
        name: unique name, as given to ``--model``.
        version: version of the weights.
        network: ``name``, ``backbone``, ``in_channels``, ``classes`` and ``switches`` for ``networks.build``.
        bands: letters in the order of the input channels, e.g. ``("B", "G", "R", "N")``.
        optional_bands: those it was trained to do without; a missing one is fed as 0 after normalisation.
        gsd_m: ground sampling distance of the training images in metres.
        gsd_range_m: lowest and highest distance it may be used at.
        tile: side of the training windows in pixels.
        window: side of the windows it reads scenes in; 0 takes ``tile``. Wider ones show large objects whole.
        mirrored: whether each window is read once more as its left-right mirror image, and both are averaged.
        normalisation: name of the pixel normalisation, ``percentile-2-98``.
        temperature: softmax temperature fitted on validation regions, > 0.
        weights_sha256: of the weights' file.
        encoder_weights: what the encoder started from: ``source`` ``none``, ``imagenet`` or ``file``, and which.
        trained_on, metrics, limits: for people.
        path: the card itself; the weights lie beside it.
    """

    name: str
    version: str
    network: dict[str, Any]
    bands: tuple[str, ...]
    gsd_m: float
    gsd_range_m: tuple[float, float]
    tile: int
    normalisation: str
    temperature: float
    weights_sha256: str
    path: Path
    window: int = 0
    mirrored: bool = False
    optional_bands: tuple[str, ...] = ()
    encoder_weights: Any = None
    trained_on: Any = ""
    metrics: dict[str, Any] = field(default_factory=dict)
    limits: Any = ""

    def __post_init__(self) -> None:
        """A card that names no window reads in windows of the training."""
        object.__setattr__(self, "window", self.window or self.tile)

    @classmethod
    def read(cls, path: Path) -> ModelCard:
        """Read a card without its weights (and without torch).

        Raises:
            ModelError: E-MOD-03 the card is missing, unreadable or lacks a key.
        """
        try:
            raw = json.loads(path.read_text("utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise ModelError("E-MOD-03", value=path.name) from error
        return cls.of(raw, path)

    @classmethod
    def of(cls, raw: Mapping[str, Any], path: Path) -> ModelCard:
        """A card already read; ``path`` is where it lies beside its weights.

        Raises:
            ModelError: E-MOD-03 it lacks a key.
        """
        try:
            known = {key: raw[key] for key in (f.name for f in fields(cls)) if key in raw}
            low, high = raw["gsd_range_m"]
            known |= {
                "bands": tuple(raw["bands"]),
                "optional_bands": tuple(raw.get("optional_bands", ())),
                "gsd_range_m": (float(low), float(high)),
                "path": path,
            }
            return cls(**known)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ModelError("E-MOD-03", value=path.name) from error

    @property
    def required_bands(self) -> tuple[str, ...]:
        """Bands it cannot do without."""
        return tuple(band for band in self.bands if band not in self.optional_bands)

    @property
    def role(self) -> str:
        """What it stands in for: tier of resolution and the bands it cannot do without, e.g. ``metre/BGR``."""
        tier = next(name for name, end in TIERS if self.gsd_m < end)
        known = [band for band in BAND_ORDER if band in self.required_bands]
        others = sorted(set(self.required_bands) - set(BAND_ORDER))
        return f"{tier}/{''.join(known)}{''.join(f'+{band}' for band in others)}"


def available(folder: Path = WEIGHTS) -> dict[str, ModelCard]:
    """Cards of all models in a folder, by name.

    Raises:
        ModelError: E-MOD-03 a card cannot be read.
    """
    cards = (ModelCard.read(path) for path in sorted(folder.glob("*.json")))
    return {card.name: card for card in cards}


def choose_model(
    gsd_m: float, bands: Sequence[str], name: str | None = None, *, folder: Path = WEIGHTS
) -> tuple[ModelCard, list[Finding]]:
    """The model for a scene: the named one, else the nearest in resolution of those whose bands the scene has.

    Args:
        gsd_m: ground sampling distance of the scene in metres, > 0.
        bands: band letters of the scene in any order.
        name: a model's name, or the path of a card (ending in ``.json``).
        folder: where the models lie.

    Returns:
        The card, and warnings: E-MOD-02 the resolution is outside its range, E-RAD-07 an optional band is missing.

    Raises:
        ModelError: E-MOD-01 no such model; E-MOD-04 a band that the model needs is missing; E-MOD-03 damaged card.
    """
    if name is not None and name.endswith(".json"):
        card = ModelCard.read(Path(name))
    else:
        cards = available(folder)
        if name is not None:
            cards = {key: card for key, card in cards.items() if key == name}
        if not cards:
            known = ", ".join(available(folder)) or "-"
            raise ModelError("E-MOD-01", value=name or "*", known=known)
        card = nearest(list(cards.values()), gsd_m, bands)
    return card, remarks(card, gsd_m, bands)


def nearest(cards: Sequence[ModelCard], gsd_m: float, bands: Sequence[str]) -> ModelCard:
    """The card nearest in resolution of those whose bands the scene has, else of all; of equals that with most bands.

    Args:
        cards: one at least.
        gsd_m: of the scene, metres.
        bands: of the scene.
    """
    able = [card for card in cards if set(card.required_bands) <= set(bands)]
    return min(able or cards, key=lambda c: (abs(math.log(gsd_m / c.gsd_m)), -len(set(c.bands) & set(bands)), c.name))


def remarks(card: ModelCard, gsd_m: float, bands: Sequence[str]) -> list[Finding]:
    """Warnings about a model on a scene: E-MOD-02 its resolution, E-RAD-07 an optional band is missing.

    Raises:
        ModelError: E-MOD-04 a band that the model needs is missing.
    """
    lacking = [band for band in card.required_bands if band not in bands]
    if lacking:
        raise ModelError("E-MOD-04", value=", ".join(lacking))
    findings = []
    low, high = card.gsd_range_m
    if not low <= gsd_m <= high:
        findings.append(Finding("E-MOD-02", "gsd_m", {"value": f"{gsd_m:.2f}", "low": low, "high": high}))
    findings += [Finding("E-RAD-07", "bands", {"value": band}) for band in card.bands if band not in bands]
    return findings
