"""Weights as safetensors with a JSON card beside them that names their SHA-256; nothing is ever unpickled."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from minegis.errors import ModelError

Card = dict[str, Any]

LARGEST_BYTES = 2 * 2**30  # of weights; SE-COT-DL on ResNet-101 has 0.24 GB
LARGEST_CARD_BYTES = 2**20


def save(path: Path, state_dict: Mapping[str, Tensor], card: Card, *, dtype: torch.dtype | None = None) -> Card:
    """Write ``X.safetensors`` and its card ``X.json``; each file appears whole or not at all.

    Args:
        path: the weights' file; its suffix becomes ``.safetensors``.
        state_dict: tensors by name.
        card: what the model is; ``weights_sha256`` is set here.
        dtype: store floating tensors in this type (half precision halves the file); None keeps theirs.

    Returns:
        The card as written.
    """
    path = path.with_suffix(".safetensors")
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors = {
        name: (t.to(dtype) if dtype and t.is_floating_point() else t).detach().cpu().contiguous()
        for name, t in state_dict.items()
    }
    weights = safetensors.torch.save(tensors)
    written = {**card, "weights_sha256": hashlib.sha256(weights).hexdigest()}
    _replace(path, weights)
    write_card(path, written)
    return written


def load(path: Path) -> tuple[dict[str, Tensor], Card]:
    """Read weights and card, verifying that the card's SHA-256 is that of the weights.

    Returns:
        Tensors by name, as stored (``load_state_dict`` converts the type), and the card.

    Raises:
        ModelError: E-MOD-03 a file is missing, unreadable, too large or no safetensors, or the weights are not those
            the card names; E-MOD-08 a weight is not a number.
    """
    path = path.with_suffix(".safetensors")
    card = load_card(path)
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise ModelError("E-MOD-03", value=path.name)
        weights = path.read_bytes()
    except OSError as error:
        raise ModelError("E-MOD-03", value=path.name) from error
    if hashlib.sha256(weights).hexdigest() != card["weights_sha256"]:
        raise ModelError("E-MOD-03", value=path.name)
    try:
        # Header, offsets and shapes are checked against the file's length; nothing in it is code.
        state = safetensors.torch.load(weights)
    except (safetensors.SafetensorError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise ModelError("E-MOD-03", value=path.name) from error
    for name, tensor in state.items():
        if not torch.isfinite(tensor).all():
            raise ModelError("E-MOD-08", value=path.name, tensor=name)
    return state, card


def fit(network: nn.Module, state: Mapping[str, Tensor], name: str) -> None:
    """Give a network its weights; they are converted to its number type.

    Args:
        network: what the card describes.
        state: what :func:`load` returned.
        name: of the file, for the error.

    Raises:
        ModelError: E-MOD-07 a tensor is missing, superfluous or of another shape. The network is then unchanged.
    """
    own = network.state_dict()
    for tensor in sorted(own.keys() ^ state.keys()):
        raise ModelError("E-MOD-07", value=name, tensor=tensor)
    for tensor, value in state.items():
        if own[tensor].shape != value.shape:
            shapes = f"{tensor} {tuple(value.shape)}, {tuple(own[tensor].shape)}"
            raise ModelError("E-MOD-07", value=name, tensor=shapes)
    network.load_state_dict(dict(state))


def load_card(path: Path) -> Card:
    """Read the card of a weights' file without reading the weights.

    Raises:
        ModelError: E-MOD-03 if the card is missing, no JSON object, or names no SHA-256.
    """
    file = card_path(path)
    try:
        if file.stat().st_size > LARGEST_CARD_BYTES:
            raise ModelError("E-MOD-03", value=file.name)
        card = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError("E-MOD-03", value=file.name) from error
    if not isinstance(card, dict) or not isinstance(card.get("weights_sha256"), str):
        raise ModelError("E-MOD-03", value=file.name)
    return card


def write_card(path: Path, card: Card) -> None:
    """Replace the card of a weights' file, e.g. to add scores measured later; the weights stay as they are."""
    _replace(card_path(path), (json.dumps(card, ensure_ascii=False, indent=2) + "\n").encode())


def card_path(path: Path) -> Path:
    """Where the card of a weights' file lies."""
    return path.with_suffix(".json")


def _replace(path: Path, content: bytes) -> None:
    partial = path.with_name(path.name + ".partial")
    partial.write_bytes(content)
    partial.replace(path)
