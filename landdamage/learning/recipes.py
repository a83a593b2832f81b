"""The shipped models' recipes: data, network, schedule; everything a run needs to be repeated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from landdamage.learning import sentinel
from landdamage.learning.augment import Photometry
from landdamage.learning.copy_paste import CopyPaste
from landdamage.learning.scenes import Sampling, Scene
from landdamage.taxonomy import BY_CODE, CLASSES, NETWORK_CLASS_COUNT

PEAK_RATE = 1e-3
LoadSets = Callable[["Folders"], tuple[list[Scene], list[Scene]]]


@dataclass(frozen=True, slots=True)
class Folders:
    """Where data lies: ``cache`` for what is rendered, ``data`` for public material (its ``land`` folder)."""

    cache: Path
    data: Path


@dataclass(frozen=True, slots=True)
class Stage:
    """Part of a run with one tile size, until ``end`` (share of the run)."""

    end: float
    tile: int
    batch: int


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a shipped model is trained.

    Attributes:
        model: name of the weights.
        bands: order of the input.
        gsd_m: sampling distance of the training scenes.
        gsd_range_m: where it may be used without a warning: narrower than what it saw, where areas were found to drift.
        load: (folders) -> training scenes, validation scenes.
        sampling: how tiles are drawn.
        stages: small tiles first (many different ones), the largest last.
        steps: optimiser steps.
        trained_on: for the card.
        limits: for the card.
        optional_bands: bands the network also does without.
        network: name in :data:`landdamage.networks.NETWORKS`.
        backbone: its encoder; None is the network's own default.
        switches: of the network.
        classes: names of the classes out, background first.
        learning_rate: peak.
        loss: name in :data:`landdamage.learning.losses.LOSSES`.
        weighted_loss: weigh classes by 1/√frequency, where some are too rare to be learned otherwise.
        by_class: share of each batch drawn by class in an order of epochs; None draws as ``sampling`` says.
        patience: validations without a better foreground mIoU after which the training ends; None never ends early.
        validate_every: steps between two validations; None takes a tenth of the run, or ten minutes under a time limit.
        start_from: name of the shipped model whose weights are the first ones; None starts at random.
        encoder_weights: what the encoder starts from, see :func:`landdamage.learning.encoders.start_encoder`.
        data_sha256: of the whole sample set, where it has one.
        seed: of weights and tiles.
        window: side of the windows in which scenes are judged and read; None takes ``tile``.
        mirrored: whether they are read once more as their mirror images, and both are averaged.
        load_validation: (folders) -> validation scenes, where these can be had without the others.
    """

    model: str
    bands: tuple[str, ...]
    gsd_m: float
    gsd_range_m: tuple[float, float]
    load: LoadSets
    sampling: Sampling
    stages: tuple[Stage, ...]
    steps: int
    trained_on: str
    limits: str
    optional_bands: tuple[str, ...] = ()
    network: str = "se-cot-dl"
    backbone: str | None = "mobilenetv2"
    switches: dict[str, Any] = field(default_factory=dict)
    classes: tuple[str, ...] = tuple(c.code for c in CLASSES[:NETWORK_CLASS_COUNT])
    learning_rate: float = PEAK_RATE
    loss: str = "ce-dice"
    weighted_loss: bool = False
    by_class: float | None = None
    patience: int | None = None
    validate_every: int | None = None
    start_from: str | None = None
    encoder_weights: str | None = None
    data_sha256: str | None = None
    seed: int = 1
    window: int | None = None
    mirrored: bool = False
    load_validation: Callable[[Folders], list[Scene]] | None = None

    @property
    def tile(self) -> int:
        """Side of the last tiles of the training."""
        return self.stages[-1].tile

    def as_dict(self) -> dict[str, Any]:
        """Everything but the scenes, for a card."""
        return {f.name: _plain(getattr(self, f.name)) for f in fields(self) if not f.name.startswith("load")}

    def stage(self, progress: float) -> Stage:
        """The stage at a share 0-1 of the run."""
        return next((stage for stage in self.stages if progress < stage.end), self.stages[-1])


def _plain(value: Any) -> Any:
    """A value as JSON has it."""
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


RARE_AT_TEN_METRES = CopyPaste(
    classes=tuple(BY_CODE[code].id for code in ("open_pit", "stockpile", "industrial_square", "water")),
    onto=tuple(BY_CODE[code].id for code in ("background", "vegetation")),
)
SENTINEL_SCENES = (
    "tailings_s2: Sentinel-2 scenes of mines, seven classes outlined by eye, and masks of tailings where these are "
    "unsure; split by overlap group; started from the weights of se-cot-dl-mnv2-2m (simulation)"
)
SENTINEL_LIMITS = (
    "finds vegetation, living areas and tailings, industrial squares poorly; does not find open pits, stockpiles and "
    "small waters (validation IoU below 0.1); labels outlined by eye, never checked in the field"
)
DISTRICTS = 36
FRESH_DISTRICTS = 18
RIM_DISTRICTS = 14
VALIDATION_DISTRICTS = 3


def _validation(folders: Folders) -> list[Scene]:
    from landdamage.learning import simulated

    scenes = simulated.load_scenes(simulated.VALIDATION_SEEDS[:VALIDATION_DISTRICTS], folders.cache, processes=2)
    return scenes[:: len(simulated.YEARS) + 1]  # another year of every district


def _simulated(folders: Folders) -> tuple[list[Scene], list[Scene]]:
    from landdamage.learning import simulated  # rendering needs the simulation, the ten-metre recipe does not

    train = simulated.load_scenes(simulated.TRAIN_SEEDS[:DISTRICTS], folders.cache, processes=2)
    return train, _validation(folders)


def _clouded(folders: Folders) -> tuple[list[Scene], list[Scene]]:
    from landdamage.learning import simulated

    train, validation = _simulated(folders)
    return [simulated.mark_clouds(scene) for scene in train], validation


def _fresh(folders: Folders) -> tuple[list[Scene], list[Scene]]:
    from landdamage.learning import simulated

    seeds = simulated.TRAIN_SEEDS[DISTRICTS : DISTRICTS + FRESH_DISTRICTS]
    train = simulated.load_scenes(seeds, folders.cache, simulated.YEARS[::2], processes=2)
    return [simulated.mark_clouds(scene) for scene in train], _validation(folders)


def _rims(folders: Folders) -> tuple[list[Scene], list[Scene]]:
    from landdamage.learning import simulated

    first = DISTRICTS + FRESH_DISTRICTS
    seeds = simulated.TRAIN_SEEDS[first : first + RIM_DISTRICTS]
    train = simulated.load_scenes(seeds, folders.cache, simulated.YEARS[1:], processes=2)
    return [simulated.mark_clouds(scene) for scene in train], _validation(folders)


def _sentinel(folders: Folders) -> tuple[list[Scene], list[Scene]]:
    folder = folders.data / "tailings_s2"
    return sentinel.load_scenes(folder, "both")["train"], sentinel.load_scenes(folder)["val"]


RECIPES = MappingProxyType(
    {
        "2m": Recipe(
            model="se-cot-dl-mnv2-2m",
            bands=("B", "G", "R", "N"),
            optional_bands=("N",),
            gsd_m=2.0,
            gsd_range_m=(1.0, 3.0),
            window=1024,  # pits are wider than the tiles of the training
            mirrored=True,
            load=_simulated,
            load_validation=_validation,
            sampling=Sampling(gsd_range_m=(1.0, 4.0), droppable=(3,), turn=False),
            stages=(Stage(0.75, 256, 8), Stage(1.0, 512, 4)),
            steps=1500,
            trained_on="simulated mining districts only (landdamage.simulation)",
            limits="never saw a real image; real scenes at 2 m are outside what is known",
        ),
        # The second part of the two-metre training: what hides the ground is background, not roofs or tailings.
        "2m-clouds": Recipe(
            model="se-cot-dl-mnv2-2m",
            bands=("B", "G", "R", "N"),
            optional_bands=("N",),
            gsd_m=2.0,
            gsd_range_m=(1.0, 3.0),
            window=1024,  # pits are wider than the tiles of the training
            mirrored=True,
            load=_clouded,
            load_validation=_validation,
            sampling=Sampling(gsd_range_m=(1.0, 4.0), class_share=0.6, droppable=(3,), turn=False),
            stages=(Stage(0.5, 256, 8), Stage(1.0, 512, 4)),
            steps=300,
            learning_rate=2e-4,
            start_from="se-cot-dl-mnv2-2m",
            trained_on="simulated mining districts only (landdamage.simulation), at last with clouds as background",
            limits="never saw a real image; real scenes at 2 m are outside what is known; clouds become background",
        ),
        # The third part: districts the first two never saw, whole windows only; the rims of pits need the wide view.
        "2m-refine": Recipe(
            model="se-cot-dl-mnv2-2m",
            bands=("B", "G", "R", "N"),
            optional_bands=("N",),
            gsd_m=2.0,
            gsd_range_m=(1.0, 3.0),
            window=1024,  # pits are wider than the tiles of the training
            mirrored=True,
            load=_fresh,
            load_validation=_validation,
            sampling=Sampling(gsd_range_m=(1.0, 4.0), droppable=(3,), turn=False),
            stages=(Stage(1.0, 512, 4),),
            steps=2000,
            learning_rate=6e-4,
            start_from="se-cot-dl-mnv2-2m",
            trained_on="simulated mining districts only (landdamage.simulation), with clouds as background",
            limits="never saw a real image; real scenes at 2 m are outside what is known; clouds become background",
            seed=3,
        ),
        # The fourth part: half of the tiles on the rims of pits in years of growth. New excavation is nothing but rims.
        "2m-rims": Recipe(
            model="se-cot-dl-mnv2-2m",
            bands=("B", "G", "R", "N"),
            optional_bands=("N",),
            gsd_m=2.0,
            gsd_range_m=(1.0, 3.0),
            window=1024,  # pits are wider than the tiles of the training
            mirrored=True,
            load=_rims,
            load_validation=_validation,
            sampling=Sampling(
                gsd_range_m=(1.0, 4.0),
                native_share=0.75,
                rim_of=BY_CODE["open_pit"].id,
                rim_share=0.5,
                droppable=(3,),
                turn=False,
                photometry=Photometry(haze=0.2),
            ),
            stages=(Stage(1.0, 512, 4),),
            steps=2000,
            learning_rate=4e-4,
            start_from="se-cot-dl-mnv2-2m",
            trained_on="simulated mining districts only (landdamage.simulation), with clouds as background",
            limits="never saw a real image; real scenes at 2 m are outside what is known; clouds become background",
            seed=4,
        ),
        "10m": Recipe(
            model="se-cot-dl-mnv2-10m",
            bands=("B", "G", "R"),
            gsd_m=10.0,
            gsd_range_m=(6.0, 20.0),
            load=_sentinel,
            mirrored=True,
            sampling=Sampling(
                gsd_range_m=(6.0, 20.0), native_share=0.5, class_share=0.6, copy_paste=RARE_AT_TEN_METRES
            ),
            stages=(Stage(0.7, 128, 8), Stage(1.0, 256, 8)),
            steps=2400,
            weighted_loss=True,
            start_from="se-cot-dl-mnv2-2m",
            trained_on=SENTINEL_SCENES,
            limits=SENTINEL_LIMITS,
        ),
        # The second part of the ten-metre training: every class as frequent as it is, all pixels weighing alike. Tiles
        # drawn by class teach rare classes, and make them seem more frequent than they are.
        "10m-natural": Recipe(
            model="se-cot-dl-mnv2-10m",
            bands=("B", "G", "R"),
            gsd_m=10.0,
            gsd_range_m=(6.0, 20.0),
            load=_sentinel,
            mirrored=True,
            sampling=Sampling(gsd_range_m=(6.0, 20.0), native_share=0.5, class_share=0.0),
            stages=(Stage(1.0, 256, 8),),
            steps=240,
            learning_rate=2e-4,
            start_from="se-cot-dl-mnv2-10m",
            trained_on=SENTINEL_SCENES,
            limits=SENTINEL_LIMITS,
            seed=2,
        ),
    }
)
