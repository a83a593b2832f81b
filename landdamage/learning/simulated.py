"""Training scenes from simulated districts, rendered once and kept on disk."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from tqdm import tqdm

from landdamage.imagery.radiometry import Stretch
from landdamage.learning.scenes import CLOUD, Scene
from landdamage.simulation import District
from landdamage.taxonomy import IGNORE

TRAIN_SEEDS = range(1000, 2000)
VALIDATION_SEEDS = range(5000, 6000)
TEST_SEEDS = range(9000, 10000)
SIZE = 2048
GSD_M = 2.0
YEARS = (2021, 2022, 2023)
BRIGHT = 1.2  # of the normalised mean of B, G and R: four fifths of the way from percentile 2 to 98


def load_scenes(
    seeds: Iterable[int], cache: Path, years: Sequence[int] = YEARS, *, size: int = SIZE, processes: int = 1
) -> list[Scene]:
    """Every year of every district as a scene, bands B, G, R, N, mapped from ``cache`` (rendered there if missing).

    Args:
        seeds: of the districts; all years of one seed form one group.
        cache: folder of ``SEED-SIZE/YEAR-{pixels,labels,valid}.npy``.
        years: to render.
        size: height and width of a district in pixels of 2 m.
        processes: districts rendered at a time.
    """
    seeds = list(seeds)
    render = partial(render_district, cache=cache, years=tuple(years), size=size)
    missing = [seed for seed in seeds if not set(map(str, years)) <= _rendered(_folder(cache, seed, size))]
    if missing and processes > 1:
        with ProcessPoolExecutor(processes) as pool:
            list(tqdm(pool.map(render, missing), total=len(missing), desc="districts", disable=None))
    else:
        for seed in tqdm(missing, desc="districts", disable=None):
            render(seed)
    return [_map_scene(_folder(cache, seed, size), seed, year) for seed in seeds for year in years]


def render_district(seed: int, cache: Path, years: tuple[int, ...] = YEARS, size: int = SIZE) -> None:
    """Render one district into the cache; ``done.json`` (the stretches) is written last."""
    folder = _folder(cache, seed, size)
    folder.mkdir(parents=True, exist_ok=True)
    district = District(seed, size=size, gsd=GSD_M, years=years)
    stretches = {}
    for year in years:
        scene = district.render(year)
        np.save(folder / f"{year}-pixels.npy", scene.pixels)
        np.save(folder / f"{year}-labels.npy", scene.labels)
        np.save(folder / f"{year}-valid.npy", scene.valid)
        stretches[str(year)] = Stretch.from_pixels(scene.pixels, scene.valid).as_lists()
    (folder / "done.json").write_text(json.dumps(stretches), "utf-8")


def mark_clouds(scene: Scene) -> Scene:
    """The scene with its clouds labelled ``CLOUD``; their shadows and thin edges stay unlabelled.

    Left out of training, clouds are taken for roofs and tailings: damage that nobody saw.
    """
    unseen = np.asarray(scene.valid) & (np.asarray(scene.labels) == IGNORE)
    normalised = scene.stretch.network_input(np.asarray(scene.pixels))[:3]
    bright = normalised.mean(axis=0) > BRIGHT
    return replace(scene, labels=np.where(unseen & bright, np.uint8(CLOUD), scene.labels))


def _rendered(folder: Path) -> set[str]:
    """Years of a district that lie in the cache."""
    try:
        return set(json.loads((folder / "done.json").read_text("utf-8")))
    except (OSError, ValueError):
        return set()


def _folder(cache: Path, seed: int, size: int) -> Path:
    return cache / f"{seed}-{size}"


def _map_scene(folder: Path, seed: int, year: int) -> Scene:
    stretch = json.loads((folder / "done.json").read_text("utf-8"))[str(year)]
    pixels, labels, valid = (
        np.load(folder / f"{year}-{part}.npy", mmap_mode="r") for part in ("pixels", "labels", "valid")
    )
    stretched = Stretch(np.array(stretch["low"]), np.array(stretch["high"]))
    return Scene(f"{seed}-{year}", str(seed), pixels, labels, valid, stretched, GSD_M)
