"""Which engine reads a scene: the one that began it, the one a person names, or the fastest on this machine.

How fast they are is measured once per model and machine, and only when a scene is large enough to pay for it; until
then a CPU uses torch, whose results every other engine is held to.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import time
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from landdamage.interpretation.conversion import model_folder, model_key
from landdamage.interpretation.engine import KINDS, Engine, Kind, has_cuda, load_engine
from landdamage.interpretation.models import ModelCard
from landdamage.interpretation.runtimes import threads
from landdamage.interpretation.strips import Shelf, recorded_engine
from minegis.cache import keep
from minegis.errors import ModelError

log = logging.getLogger(__name__)

PIXELS_WORTH_A_MEASUREMENT = 6000 * 6000  # some 45 windows of 1024: the measurement costs as much as 6 to 10 of them
LEAST_GAIN = 1.1  # over torch, which needs no conversion
ROUNDS, BUDGET_S = 5, 2.0
LARGEST_MEAN_DIFFERENCE = 0.01  # of probabilities, from torch's: an engine beyond that computes something else
_measured: dict[str, dict[Kind, float]] = {}


def choose_engine(
    card: ModelCard,
    *,
    device: str = "auto",
    wanted: str = "auto",
    pixels: int = 0,
    workdir: Path | None = None,
    shelf: Shelf | None = None,
) -> Kind:
    """The kind of engine to load for a scene.

    Args:
        card: the model.
        device: as for ``load_engine``; CUDA always runs ``eager``.
        wanted: one of ``KINDS``, or ``auto``.
        pixels: of the scene; a small one is not worth a measurement.
        workdir: the scene's work folder: a run that began with one engine goes on with it.
        shelf: what workers with other work folders share of it.

    Raises:
        ModelError: E-MOD-03 the weights are not the card's; E-MOD-14 ``wanted`` is no engine.
    """
    if wanted != "auto":
        if wanted not in KINDS:
            raise ModelError("E-MOD-14", value=wanted, reason=", ".join(KINDS))
        return wanted
    if device == "cuda" or (device == "auto" and has_cuda()):
        return "eager"
    begun = recorded_engine(workdir / "strips", shelf) if workdir is not None else None
    if begun in KINDS:
        return begun
    speeds = known_speeds(card)
    if speeds is None:
        if pixels < PIXELS_WORTH_A_MEASUREMENT:
            return "eager"
        speeds = measure(card)
        _remember(card, speeds)
    return fastest(speeds)


def fastest(seconds: Mapping[Kind, float]) -> Kind:
    """The kind with the least seconds per window; torch unless another gains at least a tenth."""
    best = min(seconds, key=lambda kind: seconds[kind])
    return best if seconds["eager"] >= LEAST_GAIN * seconds[best] else "eager"


def known_speeds(card: ModelCard) -> dict[Kind, float] | None:
    """Seconds per window as measured before for this model, on this machine, with these libraries; None if never."""
    key = _speed_key(card)
    if key not in _measured and (path := _speed_file(card)) is not None:
        try:
            raw = json.loads(path.read_text("utf-8"))["seconds_per_window"]
            found: dict[Kind, float] = {kind: float(raw[kind]) for kind in KINDS if kind in raw}
        except (OSError, ValueError, KeyError, TypeError):
            return None  # never measured, or no longer readable: it will be measured again
        if "eager" in found and all(0 < value < np.inf for value in found.values()):
            _measured[key] = found
    return _measured.get(key)


def measure(card: ModelCard) -> dict[Kind, float]:
    """Seconds per window of every engine that runs here and agrees with torch; best of rounds run in turn.

    Raises:
        ModelError: E-MOD-03 the weights are not the card's.
    """
    engines: dict[Kind, Engine] = {"eager": load_engine(card, "cpu", "eager")}
    for kind in KINDS[1:]:
        try:
            engines[kind] = load_engine(card, "cpu", kind)
        except ModelError as error:
            if error.code != "E-MOD-14":
                raise
            log.warning("engine %s does not run here: %s", kind, error)
    shape = (1, int(card.network["in_channels"]), card.window, card.window)
    window = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    reference = engines["eager"].probabilities(window)  # this first run also makes each engine ready
    for kind in list(engines)[1:]:
        difference = float(np.abs(engines[kind].probabilities(window) - reference).mean())
        if difference > LARGEST_MEAN_DIFFERENCE:
            log.warning("engine %s differs from torch by %.3f in the mean: not used", kind, difference)
            del engines[kind]
    seconds: dict[Kind, float] = dict.fromkeys(engines, np.inf)
    began = time.monotonic()
    for _ in range(ROUNDS):
        for kind, engine in engines.items():
            start = time.perf_counter()
            engine.probabilities(window)
            seconds[kind] = min(seconds[kind], time.perf_counter() - start)
        if time.monotonic() - began > BUDGET_S:
            break
    log.info("seconds per window of %s: %s", card.name, ", ".join(f"{k} {v:.3f}" for k, v in seconds.items()))
    return seconds


def _remember(card: ModelCard, seconds: Mapping[Kind, float]) -> None:
    _measured[_speed_key(card)] = dict(seconds)
    if (path := _speed_file(card)) is not None:
        content = {"model": card.name, "machine": _machine(), "seconds_per_window": seconds}
        keep(path, json.dumps(content, indent=2).encode())


def _speed_file(card: ModelCard) -> Path | None:
    folder = model_folder(card)
    return None if folder is None else folder / f"speeds-{_speed_key(card)}.json"


def _speed_key(card: ModelCard) -> str:
    facts = json.dumps([model_key(card), _machine()], sort_keys=True)
    return hashlib.sha256(facts.encode()).hexdigest()[:16]


def _machine() -> dict[str, str]:
    """What speed depends on beside the model: the CPU, how much of it may be used, and the libraries."""
    facts = {"threads": str(threads()), "cores": str(len(os.sched_getaffinity(0)))}
    for name in ("torch", "onnxruntime", "openvino"):
        try:
            facts[name] = version(name)
        except PackageNotFoundError:
            facts[name] = "-"
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return facts
    for line in lines:
        key, _, value = line.partition(":")
        if key.strip() in ("model name", "flags") and key.strip() not in facts:
            facts[key.strip()] = value.strip()
    return facts
