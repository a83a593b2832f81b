"""What the networks are compared on: simulated districts, and public material where real pixels have labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType

import numpy as np

from landdamage.learning import aerial, sentinel
from landdamage.learning.losses import NOT_TAILINGS
from landdamage.learning.recipes import RARE_AT_TEN_METRES, Folders
from landdamage.learning.samples.split import assign
from landdamage.learning.scenes import Sampling, Scene
from landdamage.taxonomy import BY_CODE, CLASSES, IGNORE
from minegis.errors import TrainingError

SEVEN = tuple(c.code for c in CLASSES)


@dataclass(frozen=True, slots=True)
class Sets:
    """Scenes to train on, scenes to judge on; no group lies in both."""

    train: list[Scene]
    test: list[Scene]


@dataclass(frozen=True, slots=True)
class Experiment:
    """One comparison.

    Attributes:
        key: short name.
        title: for a heading.
        classes: names of the classes out, background first.
        colours: of the classes, #RRGGBB.
        bands: of the input.
        gsd_m: of the input, metres.
        load: (folders, quick) -> scenes.
        sampling: resolution and augmentation of the training tiles.
        about: what the scenes and labels are, and what the figures can't say.
    """

    key: str
    title: str
    classes: tuple[str, ...]
    colours: tuple[str, ...]
    bands: tuple[str, ...]
    gsd_m: float
    load: Callable[[Folders, bool], Sets]
    sampling: Sampling
    about: str

    def sets(self, folders: Folders, *, quick: bool = False) -> Sets:
        """The scenes.

        Raises:
            TrainingError: E-TRN-09 the data is absent.
            ValueError: a group lies in both sets.
        """
        try:
            sets = self.load(folders, quick)
        except FileNotFoundError as error:
            raise TrainingError("E-TRN-09", value=error.filename) from error
        shared = {scene.group for scene in sets.train} & {scene.group for scene in sets.test}
        if shared:
            raise ValueError(f"{self.key}: groups in both sets: {sorted(shared)}")
        return sets


def in_folds(sets: Sets, folds: int, classes: int) -> list[Sets]:
    """Every scene judged once: one :class:`Sets` per fold, trained on the other folds. A group is never divided.

    Groups go to folds as regions go to sets: the rarest class (by pixels) first, to the fold that lacks it most.

    Args:
        sets: all scenes; their own split is forgotten.
        folds: how many, at least 2.
        classes: of the labels, background first.

    Raises:
        SampleSetError: E-SET-03 fewer groups with labels than folds.
    """
    scenes = [*sets.train, *sets.test]
    counts = {scene.group: np.zeros(classes, np.int64) for scene in scenes}
    for scene in scenes:
        counts[scene.group] += np.bincount(np.asarray(scene.labels).ravel(), minlength=classes)[:classes]
    fold_of = assign(counts, {str(fold): 1 / folds for fold in range(1, folds + 1)})
    return [
        Sets(
            [scene for scene in scenes if fold_of[scene.group] != str(fold)],
            judged([scene for scene in scenes if fold_of[scene.group] == str(fold)]),
        )
        for fold in range(1, folds + 1)
    ]


TRAIN_DISTRICTS, TEST_DISTRICTS, DISTRICT = 12, 6, 1024
QUICK_TRAIN, QUICK_TEST, QUICK_DISTRICT = 4, 2, 512
QUICK_SCENES = 4  # of public sets, per split


def _simulated(folders: Folders, quick: bool) -> Sets:
    from landdamage.learning import simulated  # rendering needs the simulation, the public sets do not

    train, test, size = (
        (QUICK_TRAIN, QUICK_TEST, QUICK_DISTRICT) if quick else (TRAIN_DISTRICTS, TEST_DISTRICTS, DISTRICT)
    )
    years = simulated.YEARS[1:2] if quick else simulated.YEARS
    load = partial(simulated.load_scenes, cache=folders.cache, years=years, size=size, processes=2)
    judged = load(simulated.TEST_SEEDS[:test])
    return Sets(load(simulated.TRAIN_SEEDS[:train]), judged[len(years) // 2 :: len(years)])  # one year of each district


def _public(load: Callable[[Folders], Mapping[str, list[Scene]]], folders: Folders, quick: bool) -> Sets:
    splits = load(folders)
    most = QUICK_SCENES if quick else None
    return Sets(splits["train"][:most], judged(splits["val"][:most]))


def judged(scenes: list[Scene]) -> list[Scene]:
    """Scenes as they are judged: what is known of a class a pixel does not have helps training, and scores nothing."""
    return [
        replace(scene, labels=np.where(scene.labels == NOT_TAILINGS, np.uint8(IGNORE), scene.labels))
        for scene in scenes
    ]


def _tailings(folders: Folders) -> Mapping[str, list[Scene]]:
    return sentinel.load_scenes(folders.data / "tailings_s2", "masks_union")


def _sentinel(folders: Folders) -> Mapping[str, list[Scene]]:
    return sentinel.load_scenes(folders.data / "tailings_s2", "both")


def _aerial(folders: Folders) -> Mapping[str, list[Scene]]:
    sets = (aerial.load_dronedeploy(folders.data / "dronedeploy"), aerial.load_harvey(folders.data / "harvey_uav"))
    return {split: [scene for one in sets for scene in one[split]] for split in ("train", "val")}


NATIVE = Sampling(gsd_range_m=(0.01, 100.0), native_share=1.0)
NOTHING_SELECTED = "Nothing was selected on the scenes judged: every network's weights are those after its last step."
COLOURS = tuple(c.colour for c in CLASSES)

EXPERIMENTS = MappingProxyType(
    {
        experiment.key: experiment
        for experiment in (
            Experiment(
                "S",
                "Simulated mining districts, seven classes",
                SEVEN,
                COLOURS,
                ("B", "G", "R", "N"),
                2.0,
                _simulated,
                Sampling(gsd_range_m=(2.0, 2.0), native_share=1.0, turn=False),
                "Districts of `landdamage.simulation` at 2 m with exact truth; training and test districts have other "
                "seeds. No real image: the figures compare networks, they do not say how well a real mine is mapped.",
            ),
            Experiment(
                "A",
                "Tailings against the rest, Sentinel-2",
                ("rest", "tailings_pond"),
                (COLOURS[0], BY_CODE["tailings_pond"].colour),
                ("B", "G", "R"),
                10.0,
                partial(_public, _tailings),
                NATIVE,
                "tailings_s2, 10 m, masks_union, split by overlap group. The rest holds other classes of ours, so this "
                "is a question of two classes; the foreground mean is tailings alone.",
            ),
            Experiment(
                "A7",
                "Seven classes outlined by eye, Sentinel-2",
                SEVEN,
                COLOURS,
                ("B", "G", "R"),
                10.0,
                partial(_public, _sentinel),
                replace(NATIVE, copy_paste=RARE_AT_TEN_METRES),
                "tailings_s2, 10 m, labels7 (38 % of the pixels unsure and not counted; outlined by eye, never checked "
                "in the field), split by overlap group; trained with copies of rare objects, and with the knowledge of "
                "masks_union that unsure ground is no tailings. Rare classes rest on few regions: see their pixels.",
            ),
            Experiment(
                "B",
                "Aerial images, classes mapped to ours",
                SEVEN,
                COLOURS,
                ("B", "G", "R"),
                aerial.DRONEDEPLOY_GSD_M,
                partial(_public, _aerial),
                NATIVE,
                "dronedeploy (10 cm) and harvey_uav, buildings as living area; stockpile, tailings pond and open pit "
                "do not occur. No mine is shown.",
            ),
        )
    }
)
