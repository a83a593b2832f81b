"""Hold simulated scenes against real ones: histograms and radial power spectra, and a crop to look at.

``python benchmarks/simulation_look.py --data FOLDER`` writes ``docs/figures/simulation_spectra.png`` and
``docs/figures/simulation_1to1.jpg``. FOLDER holds ``land/naip_dates``, ``land/tailings_s2`` and ``land/mine_scenes``;
only curves of the real scenes are shown. Without the folder the simulated curves stand alone.
"""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
import rasterio
from numpy.typing import NDArray
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from landdamage.imagery.radiometry import Stretch  # noqa: E402
from landdamage.simulation import District  # noqa: E402
from landdamage.simulation.spectra import radial_spectrum, slope  # noqa: E402

mpl.use("Agg")
from matplotlib import pyplot as plt  # noqa: E402

BANDS = ("blue", "green", "red", "near infrared")
SEEDS = (7, 11, 21)
BINS = np.linspace(-0.25, 1.5, 71)


@dataclass
class Source:
    """Curves of one kind of image: per band the scenes' histograms and spectra."""

    name: str
    colour: str
    histograms: list[list[NDArray[np.float64]]]
    spectra: list[list[NDArray[np.float32]]]

    def add(self, pixels: NDArray[np.generic], valid: NDArray[np.bool_]) -> None:
        """Take in one scene, (bands, H, W) in the order B, G, R, N."""
        stretch = Stretch.from_pixels(pixels, valid)
        for band, numbers in enumerate(pixels):
            scaled = (numbers[valid] - stretch.low[band]) / (stretch.high[band] - stretch.low[band])
            self.histograms[band].append(np.histogram(scaled, BINS, density=True)[0])
            self.spectra[band].append(radial_spectrum(numbers, valid)[1])


def source(name: str, colour: str) -> Source:
    """A source without scenes."""
    return Source(name, colour, [[] for _ in BANDS], [[] for _ in BANDS])


def real_sources(folder: Path) -> list[Source]:
    """The real scenes found under the folder; those absent are named on the terminal."""
    naip = source("NAIP 5 m, 4 dates", "#0072B2")
    for path in sorted((folder / "land/naip_dates").glob("*.tif")):
        with rasterio.open(path) as scene:
            pixels = scene.read([3, 2, 1, 4])
        naip.add(pixels, (pixels > 0).any(axis=0))
    mines = source("Sentinel-2 mines 10 m, 30 scenes", "#009E73")
    for path in sorted((folder / "land/tailings_s2/images").glob("*.tif"))[::3]:
        with rasterio.open(path) as scene:
            pixels = scene.read([1, 2, 3])
        mines.add(pixels, (pixels > 0).any(axis=0))
    pit = source("open pit from above, sub-metre", "#CC79A7")
    for path in (folder / "land/mine_scenes").glob("hires_tci_patch.png"):
        pixels = np.asarray(Image.open(path))[..., 2::-1].transpose(2, 0, 1)
        pit.add(pixels, np.ones(pixels.shape[1:], bool))
    found = []
    for one in (naip, mines, pit):
        if one.spectra[0]:
            found.append(one)
        else:
            print(f"not found, left out: {one.name}")
    return found


def draw(sources: list[Source], target: Path) -> None:
    """Histograms above, spectra below, one column per band; prints the slopes."""
    figure, axes = plt.subplots(2, 4, figsize=(15, 7), layout="constrained")
    frequency = np.arange(1, 64) / 128
    for band, name in enumerate(BANDS):
        top, bottom = axes[0, band], axes[1, band]
        for one in sources:
            if not one.spectra[band]:
                continue
            wide = 2.4 if one.name.startswith("simulated") else 1.4
            mean = np.mean(one.histograms[band], axis=0)
            top.plot((BINS[1:] + BINS[:-1]) / 2, mean, color=one.colour, lw=wide, label=one.name)
            slopes = [slope(frequency, power) for power in one.spectra[band]]
            power = np.exp(np.mean(np.log(one.spectra[band]), axis=0))
            label = f"{np.mean(slopes):.2f} ± {np.std(slopes):.2f}"
            bottom.loglog(frequency, power, color=one.colour, lw=wide, label=label)
            print(f"{one.name:34s} {name:14s} slope {label} over {len(slopes)} scenes")
        top.set(title=name, xlabel="percentile 2 → 0, percentile 98 → 1", yticks=[])
        bottom.set(xlabel="cycles per pixel")
        bottom.legend(title="slope of power, 0.02-0.25", fontsize=8)
    axes[0, 0].set_ylabel("share of pixels")
    axes[1, 0].set_ylabel("power, tiles at variance 1")
    axes[0, 0].legend(fontsize=8)
    figure.savefig(target, dpi=75)


def main() -> None:
    """Read the arguments, measure, draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("MINEGIS_DATA", "data")))
    parser.add_argument("--output", type=Path, default=ROOT / "docs/figures")
    args = parser.parse_args()
    args.output.mkdir(parents=True, exist_ok=True)
    simulated = source("simulated 2 m, 9 scenes", "#D55E00")
    for seed in SEEDS:
        district = District(seed, 1536)
        for year in district.years:
            scene = district.render(year)
            simulated.add(scene.pixels, scene.valid)
            if (seed, year) == (SEEDS[0], district.years[0]):
                shown = Stretch.from_pixels(scene.pixels, scene.valid).display(scene.pixels)[2::-1]
                crop = shown[:, 380:1280, 100:1300].transpose(1, 2, 0)
                Image.fromarray(np.ascontiguousarray(crop)).save(args.output / "simulation_1to1.jpg", quality=85)
    draw([simulated, *real_sources(args.data)], args.output / "simulation_spectra.png")


if __name__ == "__main__":
    main()
