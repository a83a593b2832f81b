"""A model as ONNX: made once per weights, kept in the user's cache, or written where a person wants it."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

from landdamage.interpretation.models import ModelCard
from landdamage.taxonomy import CLASSES
from minegis.cache import cache_folder, keep, prune
from minegis.errors import MineGISError, ModelError

log = logging.getLogger(__name__)
KEPT_MODELS = 8
SOURCES = Path(__file__).resolve().parents[1] / "networks"


def model_folder(card: ModelCard) -> Path | None:
    """The cache's folder for everything derived from a model; None where nothing can be cached."""
    folder = cache_folder()
    return None if folder is None else folder / "engines" / model_key(card)


def model_key(card: ModelCard) -> str:
    """What a converted model depends on: weights, network, window, and the code and libraries that make it."""
    sources = hashlib.sha256()
    for file in sorted(SOURCES.glob("*.py")):
        sources.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    parts = [card.weights_sha256, card.network, card.window, sources.hexdigest(), version("torch"), version("onnx")]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:24]


def converted(card: ModelCard) -> bytes:
    """The model in ONNX, from the cache or converted now (a second or two), which the cache then spares the next.

    Raises:
        ModelError: E-MOD-03, E-MOD-07, E-MOD-08 as ``eager.load_network``.
    """
    check_weights(card)
    return _converted(card.path, card.weights_sha256, model_key(card))


@lru_cache(maxsize=1)  # where nothing can be cached on disk, a worker converts once
def _converted(card_path: Path, weights_sha256: str, key: str) -> bytes:
    card = ModelCard.read(card_path)
    folder = model_folder(card)
    if folder is not None:
        try:
            content = (folder / "model.onnx").read_bytes()
            if hashlib.sha256(content).hexdigest() == (folder / "model.sha256").read_text("ascii"):
                return content
            log.warning("converted model in %s is damaged; converting again", folder)
        except (OSError, UnicodeDecodeError):
            pass  # not there yet
    content = convert(card)
    if folder is not None and keep(folder / "model.onnx", content):
        keep(folder / "model.sha256", hashlib.sha256(content).hexdigest().encode("ascii"))
        prune(folder.parent, KEPT_MODELS)
    return content


def convert(card: ModelCard) -> bytes:
    """The card's network and weights as ONNX, with what a user of the file must know in its metadata.

    Raises:
        ModelError: E-MOD-03, E-MOD-07, E-MOD-08 as ``eager.load_network``.
    """
    from landdamage.interpretation.eager import load_network
    from landdamage.networks.export import to_onnx

    facts = {
        "name": card.name,
        "version": card.version,
        "bands": ",".join(card.bands),
        "classes": ",".join(c.code for c in CLASSES[: int(card.network["classes"])]),
        "gsd_m": f"{card.gsd_m:g}",
        "window": str(card.window),
        "normalisation": card.normalisation,
        "temperature": f"{card.temperature:g}",
        "weights_sha256": card.weights_sha256,
    }
    return to_onnx(load_network(card), int(card.network["in_channels"]), card.window, facts)


def export_model(card: ModelCard, path: Path) -> None:
    """Write a model as ONNX: ``windows`` (n,bands,window,window) -> ``logits``; the file appears when it is complete.

    Raises:
        ModelError: E-MOD-03, E-MOD-07, E-MOD-08 as ``eager.load_network``.
        MineGISError: E-OUT-01 the file cannot be written.
    """
    if not os.access(path.parent, os.W_OK | os.X_OK) or not keep(path, convert(card)):
        raise MineGISError("E-OUT-01", value=path)


def check_weights(card: ModelCard) -> None:
    """Refuse weights that are not the card's, without torch.

    Raises:
        ModelError: E-MOD-03 the weights are missing or not those the card names.
    """
    try:
        found = hashlib.sha256(card.path.with_suffix(".safetensors").read_bytes()).hexdigest()
    except OSError as error:
        raise ModelError("E-MOD-03", value=card.path.name) from error
    if found != card.weights_sha256:
        raise ModelError("E-MOD-03", value=card.path.name)
