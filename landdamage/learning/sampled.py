"""A recipe for a sample set: what a person chooses, and sensible values for the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landdamage.learning.choices import Choices
from landdamage.learning.copy_paste import CopyPaste
from landdamage.learning.order import CLASS_SHARE
from landdamage.learning.recipes import PEAK_RATE, Folders, Recipe, Stage
from landdamage.learning.samples.images import safe_name
from landdamage.learning.samples.load import load_scenes
from landdamage.learning.samples.sampleset import SampleSet
from landdamage.learning.scenes import Sampling, Scene
from landdamage.learning.warp import Warp
from landdamage.networks.registry import default_backbone
from landdamage.taxonomy import BY_CODE
from minegis.errors import SampleSetError, TrainingError

SHADOWS_BELOW_M = 5.0  # finer images show shadows, by whose side a pit is told from a dump: tiles are then not turned
FINE_TUNING_RATE = 3e-4


def recipe_for(folder: Path, choices: Choices) -> Recipe:
    """The recipe that trains on a sample set.

    Raises:
        SampleSetError: E-SET-16 the folder is no sample set; E-SET-24 it lacks a band or the fold.
        TrainingError: E-TRN-10 a set that is needed holds no tile.
    """
    samples = SampleSet.open(folder)
    params = samples.params
    bands = choices.bands or params.bands
    band_indexes(params.bands, bands)
    if (choices.fold is not None) != bool(params.folds):
        raise SampleSetError("E-SET-24", value=f"--fold {choices.fold or ''}", known=", ".join(params.sets))
    names = (f"not-{choices.fold}", choices.fold) if choices.fold else ("train", "val")

    def load(folders: Folders) -> tuple[list[Scene], list[Scene]]:
        train, validation = (scenes_of(folder, name, bands) for name in names)
        return train, validation

    own_fold = [choices.fold] if choices.fold else []
    ponds = BY_CODE["tailings_pond"].id
    backbone = choices.backbone or default_backbone(choices.network)
    rate = choices.learning_rate or (FINE_TUNING_RATE if choices.encoder_weights else PEAK_RATE)
    gsd_m = params.gsd_m
    return Recipe(
        model="-".join([choices.network, backbone, safe_name(samples.name or folder.name), *own_fold]),
        bands=tuple(bands),
        optional_bands=("N",) if "N" in bands and len(bands) > 3 else (),
        gsd_m=gsd_m,
        gsd_range_m=(round(gsd_m * 0.6, 3), round(gsd_m * 1.6, 3)),
        load=load,
        sampling=Sampling(
            gsd_range_m=(gsd_m / 2, gsd_m * 2),
            droppable=(bands.index("N"),) if "N" in bands and len(bands) > 3 else (),
            turn=gsd_m > SHADOWS_BELOW_M,
            warp=Warp(),
            copy_paste=CopyPaste() if any(tile.pixels[ponds] for tile in samples.tiles) else None,
        ),
        stages=(Stage(1.0, choices.tile or params.tile, choices.batch),),
        steps=choices.steps,
        trained_on=_trained_on(samples),
        limits=_limits(samples),
        network=choices.network,
        backbone=backbone,
        learning_rate=rate,
        loss=choices.loss,
        weighted_loss=True,
        by_class=CLASS_SHARE,
        patience=choices.patience,
        encoder_weights=choices.encoder_weights,
        data_sha256=samples.sha256,
        seed=choices.seed,
    )


def _trained_on(samples: SampleSet) -> str:
    regions = len({tile.region for tile in samples.tiles})
    images = len(samples.images)
    return (
        f"sample set {samples.name} ({samples.kind}): {len(samples.tiles)} tiles of {images} images, {regions} regions"
    )


def _limits(samples: SampleSet) -> str:
    """What the set itself says against the model."""
    said = [finding["message_en"] for finding in samples.findings]
    leaky = ["its sets leak into each other, so its scores mean nothing"] if samples.leaky else []
    return "; ".join([*leaky, *said]) or "only ground like that of the sample set was shown"


def band_indexes(have: Sequence[str], wanted: Sequence[str]) -> list[int]:
    """Where the wanted bands lie.

    Raises:
        SampleSetError: E-SET-24 one is missing, or named twice.
    """
    if not set(wanted) <= set(have) or len(set(wanted)) < len(wanted):
        raise SampleSetError("E-SET-24", value=",".join(wanted), known=",".join(have))
    return [have.index(band) for band in wanted]


def scenes_of(folder: Path, name: str, bands: Sequence[str]) -> list[Scene]:
    """The tiles of one set with the bands wanted.

    Raises:
        SampleSetError: E-SET-16 the folder is no sample set; E-SET-24 it lacks a band or the set.
        TrainingError: E-TRN-10 the set holds no tile.
    """
    have = SampleSet.open(folder).params.bands
    chosen = band_indexes(have, bands)
    scenes = load_scenes(folder, name)
    if not scenes:
        raise TrainingError("E-TRN-10", value=folder, set=name)
    return scenes if chosen == list(range(len(have))) else [_with_bands(scene, chosen) for scene in scenes]


def _with_bands(scene: Scene, chosen: list[int]) -> Scene:
    """The scene with some of its bands, read no sooner than before."""
    stretch = replace(scene.stretch, low=scene.stretch.low[chosen], high=scene.stretch.high[chosen])
    pixels: Any = SomeBands(scene.pixels, chosen)
    return replace(scene, pixels=pixels, stretch=stretch)


class SomeBands:
    """Stands for some bands of an array (bands, H, W) that may still be on disk."""

    def __init__(self, pixels: Any, indexes: list[int]) -> None:
        self._pixels, self._indexes = pixels, indexes
        self.shape = (len(indexes), *pixels.shape[1:])

    def __getitem__(self, index: Any) -> Any:
        return np.asarray(self._pixels)[self._indexes][index]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.array(np.asarray(self._pixels)[self._indexes], dtype)
