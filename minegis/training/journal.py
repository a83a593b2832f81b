"""What a training says about itself while it runs: ``log.jsonl``, TensorBoard events, and curves read from the log."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

LOG = "log.jsonl"
EVENTS = "tensorboard"
MOST_POINTS = 1000

Curve = list[tuple[int, float]]


class Journal:
    """Appends entries to ``log.jsonl`` and mirrors their numbers as TensorBoard scalars in ``tensorboard/``.

    Args:
        folder: of the run.
        events: whether to write TensorBoard events.
        step: where the run goes on; events of later steps, left by a process that died, are hidden by TensorBoard.
    """

    def __init__(self, folder: Path, *, events: bool, step: int = 0) -> None:
        self._file = folder / LOG
        self._writer = None
        if events:
            from torch.utils.tensorboard import SummaryWriter  # a second to import, and only runs need it

            self._writer = SummaryWriter(str(folder / EVENTS), purge_step=step or None)  # type: ignore[no-untyped-call]

    def write(self, entry: Mapping[str, Any]) -> None:
        """Append one entry with its ``step``; numbers in it, nested ones too, become scalars."""
        with self._file.open("a", encoding="utf-8") as log:
            log.write(json.dumps(entry, ensure_ascii=False) + "\n")
        if self._writer:
            for name, value in numbers(entry).items():
                self._writer.add_scalar(name, value, int(entry["step"]))  # type: ignore[no-untyped-call]

    def close(self) -> None:
        """Write out what is pending."""
        if self._writer:
            self._writer.close()  # type: ignore[no-untyped-call]


def numbers(entry: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """The numbers of an entry by name, ``outer/inner`` for nested ones; its ``step``, NaN and flags left out."""
    found: dict[str, float] = {}
    for key, value in entry.items():
        if isinstance(value, Mapping):
            found |= numbers(value, f"{prefix}{key}/")
        elif isinstance(value, int | float) and not isinstance(value, bool) and key != "step" and value == value:
            found[prefix + key] = float(value)
    return found


def curves(folder: Path, most: int = MOST_POINTS) -> dict[str, Curve]:
    """Every number a run has logged so far, by name, as (step, value) in ascending steps.

    May be called at any time while the run goes on. Where the run was resumed or rewound, an entry supersedes what was
    logged before about its own and later steps. A line that is not whole yet is left for the next call.

    Args:
        folder: of the run.
        most: points per curve; longer ones are thinned evenly, first and last kept.

    Returns:
        Curves by name; empty if the run has logged nothing or does not exist.
    """
    try:
        text = (folder / LOG).read_text("utf-8", errors="replace")
    except FileNotFoundError:
        return {}
    found: dict[str, Curve] = {}
    for line in text.splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if not isinstance(entry, dict) or not isinstance(entry.get("step"), int):
            continue
        for name, value in numbers(entry).items():
            curve = found.setdefault(name, [])
            while curve and curve[-1][0] >= entry["step"]:
                curve.pop()
            curve.append((entry["step"], value))
    return {name: _thinned(curve, most) for name, curve in found.items()}


def _thinned(curve: Curve, most: int) -> Curve:
    if len(curve) <= most:
        return curve
    last = len(curve) - 1
    return [curve[round(k * last / (most - 1))] for k in range(most)]
