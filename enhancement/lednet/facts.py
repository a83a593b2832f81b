"""What is known of the night enhancement without loading it: choices, thresholds, the shipped weights. No torch."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minegis.errors import EnhancementError, ModelError

DARK, BRIGHT = 0.30, 0.34  # mean luma below which a scene is dark, above which it no longer is
WEIGHTS = Path(__file__).resolve().parents[1] / "weights"
SHIPPED = WEIGHTS / "lednet-t.safetensors"


@dataclass(frozen=True, slots=True)
class Choice:
    """What is done to which scenes.

    ``dehaze``: take haze out before, where dehazing's own night gate lets it. ``always``: brighten daylight too.
    """

    dehaze: bool = True
    always: bool = False


def shipped_card(path: Path = SHIPPED) -> dict[str, Any]:
    """The card of the shipped weights (``minegis.training.checkpoint`` checks it when they are loaded).

    Raises:
        EnhancementError: E-ENH-15, weights or card are not there.
        ModelError: E-MOD-03, the card is damaged.
    """
    file = path.with_suffix(".json")
    if not (path.is_file() and file.is_file()):
        raise EnhancementError("E-ENH-15", value=path.name)
    try:
        card = json.loads(file.read_text("utf-8"))
    except ValueError as error:
        raise ModelError("E-MOD-03", value=file.name) from error
    if not isinstance(card, dict) or not isinstance(card.get("weights_sha256"), str):
        raise ModelError("E-MOD-03", value=file.name)
    return card
