"""A model judged on the test tiles of a sample set, and two models beside each other on the same tiles."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import shapely
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from landdamage.interpretation.eager import load_network
from landdamage.interpretation.models import ModelCard
from landdamage.learning.ablation.panels import choose_windows
from landdamage.learning.judge import Judgement, judge
from landdamage.learning.metrics import SCORES, bootstrap_interval, paired_difference
from landdamage.learning.sampled import scenes_of
from landdamage.learning.samples.sampleset import SampleSet
from landdamage.learning.samples.tiles import Tile
from landdamage.learning.scenes import Scene
from landdamage.learning.tally import Tally
from landdamage.taxonomy import CLASSES, IGNORE, NETWORK_CLASS_COUNT
from minegis.errors import JobCancelledError, ModelError
from minegis.training.ranks import find_device
from minegis.version import code_version

TEST = "test"
PANELS = 6  # tiles drawn for the eye
NAMES = [c.code for c in CLASSES[:NETWORK_CLASS_COUNT]]
LEAST_REGIONS = 2  # below it nothing can be drawn anew for an interval
Progress = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Score:
    """What a model gets right on a sample set's test tiles.

    Attributes:
        regions: counts per region.
        metrics: of :meth:`landdamage.learning.judge.Judgement.metrics`, with 95 % intervals of the means over regions.
        panels: ids of the tiles drawn.
        facts: seconds, device, code.
    """

    regions: dict[str, Tally]
    metrics: dict[str, Any]
    panels: list[str]
    facts: dict[str, Any]


class WithoutBands(nn.Module):
    """A network that is fed zeros for bands the images lack, as in interpretation.

    Args:
        network: that wants ``wanted``.
        wanted: its bands.
        have: bands of the images, in the order of ``wanted``.
    """

    def __init__(self, network: nn.Module, wanted: Sequence[str], have: Sequence[str]) -> None:
        super().__init__()
        self.network = network
        self._places = [wanted.index(band) for band in have]
        self._count = len(wanted)

    def forward(self, x: Tensor) -> Any:
        """(N, bands there are, H, W) -> what the network says."""
        whole = x.new_zeros((x.shape[0], self._count, *x.shape[2:]))
        whole[:, self._places] = x
        return self.network(whole)


def check_fit(samples: SampleSet, card: ModelCard) -> list[str]:
    """Bands of the set the model is given, in its order.

    Raises:
        ModelError: E-MOD-23 the set is of another resolution, lacks a band the model needs, or has no test tiles.
    """
    params = samples.params
    low, high = card.gsd_range_m
    if not low <= params.gsd_m <= high:
        raise ModelError("E-MOD-23", value=str(card.name), reason=f"{params.gsd_m:g} m; {low:g}-{high:g} m")
    lacking = [band for band in card.required_bands if band not in params.bands]
    if lacking:
        raise ModelError("E-MOD-23", value=str(card.name), reason=", ".join(lacking))
    if TEST not in params.sets or not samples.of(TEST):
        raise ModelError("E-MOD-24", value=samples.name)
    return [band for band in card.bands if band in params.bands]


def score(
    card: ModelCard,
    folder: Path,
    pictures: Path,
    *,
    device: str = "auto",
    progress: Progress = lambda share: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Score:
    """Judge a model on the test tiles of a sample set, and draw what it says about some of them.

    Args:
        card: of the model; its weights lie beside it.
        folder: of the sample set.
        pictures: folder of ``TILE.png`` (class colours), one per tile drawn.
        device: auto, cpu, cuda.
        progress: told the share of tiles judged.
        should_stop: asked after every tile.

    Raises:
        ModelError: E-MOD-23, E-MOD-24 the set does not fit the model; E-MOD-03, E-MOD-07, E-MOD-08 its weights.
        SampleSetError: the set is damaged.
        JobCancelledError: ``should_stop`` said so.
    """
    began = time.monotonic()
    samples = SampleSet.open(folder)
    bands = check_fit(samples, card)
    network = load_network(card)
    if len(bands) < len(card.bands):
        network = WithoutBands(network, card.bands, bands)
    where = find_device(device)
    network = network.eval().to(where).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    scenes = scenes_of(folder, TEST, bands)
    drawn = [window.scene for window in choose_windows(scenes, samples.params.tile, PANELS)]
    done = 0

    def each(scene: Scene, prediction: NDArray[np.uint8], tally: Tally) -> None:
        nonlocal done
        if scene.name in drawn:
            save_classes(pictures / f"{scene.name}.png", prediction)
        done += 1
        progress(done / len(scenes))
        if should_stop():
            raise JobCancelledError

    # Tiles are read whole: a window beyond their edge would show nothing but their own mirror image.
    window = min(card.window, samples.params.tile)
    found = judge(network, scenes, window, NAMES, mirrored=card.mirrored, each=each)
    facts = {
        "window": window,
        "mirrored": card.mirrored,
        "seconds": round(time.monotonic() - began, 1),
        "device": where.type,
        "tiles": len(scenes),
        "code": {"minegis": code_version(), "torch": torch.__version__},
    }
    return Score(found.regions, _metrics(found), list(dict.fromkeys(drawn)), facts)


def _metrics(found: Judgement) -> dict[str, Any]:
    matrices = [tally.matrix for tally in found.regions.values()]
    if len(matrices) < LEAST_REGIONS:
        return found.metrics()
    intervals = {f"m{name}_foreground_95": _rounded(bootstrap_interval(matrices, name)) for name in SCORES}
    return {**found.metrics(), **intervals}


def difference(ours: Mapping[str, Tally], theirs: Mapping[str, Tally]) -> dict[str, list[float | None]]:
    """Ours less theirs per mean score over the foreground: the difference and its 95 % interval over regions.

    Raises:
        ValueError: they were not judged on the same regions.
    """
    if ours.keys() != theirs.keys():
        raise ValueError(f"not the same regions: {sorted(ours.keys() ^ theirs.keys())}")
    names = sorted(ours)
    a, b = ([[side[name].matrix for name in names]] for side in (ours, theirs))
    made: dict[str, list[float | None]] = {}
    for name in SCORES:
        values = _rounded(paired_difference(a, b, name))
        made[f"m{name}_foreground"] = values if len(names) >= LEAST_REGIONS else [values[0], None, None]
    return made


def _rounded(values: Sequence[float]) -> list[float | None]:
    """With the digits a card shows; None where there was nothing to average."""
    return [None if np.isnan(value) else round(float(value), 4) for value in values]


def known_tiles(judged: SampleSet, learned: SampleSet) -> int:
    """How many test tiles of one set touch ground that a model learned from, or was selected on, in another."""
    if judged.sha256 == learned.sha256:
        return 0
    tree = shapely.STRtree([_ground(tile) for tile in learned.tiles if tile.set != TEST])
    test = [_ground(tile) for tile in judged.of(TEST)]
    return len(set(tree.query(test, predicate="intersects")[0].tolist())) if test else 0


def _ground(tile: Tile) -> shapely.Polygon:
    return shapely.Polygon(tile.footprint)


def draw_truth(folder: Path, tiles: Sequence[str], pictures: Path) -> None:
    """Write ``TILE-image.png`` and ``TILE-label.png`` of test tiles."""
    bands = SampleSet.open(folder).params.bands
    shown = [bands.index(band) for band in "RGB"] if set("RGB") <= set(bands) else [0, 1, 2]
    for scene in scenes_of(folder, TEST, bands):
        if scene.name in tiles:
            valid = np.asarray(scene.valid)
            picture = scene.stretch.display(np.asarray(scene.pixels))[shown].transpose(1, 2, 0).copy()
            picture[~valid] = 128
            _write(pictures / f"{scene.name}-image.png", Image.fromarray(picture))
            save_classes(pictures / f"{scene.name}-label.png", np.asarray(scene.labels))


def save_classes(path: Path, classes: NDArray[np.uint8]) -> None:
    """Write classes (H,W) as a PNG in the colours of the taxonomy; what is no class is white."""
    palette = np.full((256, 3), 255, np.uint8)
    for land_class in CLASSES:
        palette[land_class.id] = land_class.rgb
    image = Image.fromarray(np.where(classes < NETWORK_CLASS_COUNT, classes, np.uint8(IGNORE)))
    image.putpalette(palette.ravel().tolist())
    _write(path, image)


def _write(path: Path, image: Image.Image) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    image.save(partial, "PNG", optimize=True)
    partial.replace(path)
