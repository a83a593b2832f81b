"""The state of a run on disk, from which it goes on exactly; read as tensors and plain values, never as code."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

from minegis.errors import TrainingError

STATE = "state.pt"


def write(folder: Path, state: dict[str, Any]) -> None:
    """Replace the state in one step: whoever is killed meanwhile leaves the old one."""
    partial = folder / f"{STATE}.partial"
    with partial.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(folder / STATE)


def read(folder: Path, identity: str, device: torch.device) -> dict[str, Any] | None:
    """The state in a folder; None if there is none.

    Args:
        folder: of the run.
        identity: what the state must say it belongs to.
        device: where its tensors go.

    Raises:
        TrainingError: E-TRN-03 it is damaged, or holds anything but tensors and plain values; E-TRN-04 it belongs to
            another run.
    """
    file = folder / STATE
    if not file.exists():
        return None
    try:
        state = torch.load(file, map_location=device, weights_only=True)
    except Exception as error:  # what a foreign file makes the reader raise is not a list that ends
        raise TrainingError("E-TRN-03", value=file) from error
    if not isinstance(state, dict) or not isinstance(state.get("identity"), str):
        raise TrainingError("E-TRN-03", value=file)
    if state["identity"] != identity:
        raise TrainingError("E-TRN-04", value=folder, found=state["identity"], wanted=identity)
    return state
