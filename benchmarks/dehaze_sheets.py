"""Sheets to look at: simulated mines clear, in haze of known depth, and as we and others take it away.

    python benchmarks/dehaze_sheets.py [-o docs/figures]

The pictures are drone's views of a simulated district (``landdamage.simulation``, ``enhancement/flight.py``), hazy by
their true distances; below every result stands its PSNR against the clear picture.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from benchmarks.dehaze_quality import DATA, HE, aod_net, clahe, ours
from enhancement import flight
from enhancement.dehaze.settings import PRESETS
from enhancement.quality import psnr
from landdamage.simulation import District
from landdamage.simulation.export import write_scene

ROOT = Path(__file__).resolve().parents[1]
WIDTH, HEIGHT = 640, 360  # of a view; a sheet shows half of it
# Scattering per height of the flight, and air light in B, G, R.
KINDS = {
    "light fog": (0.35, (0.92, 0.90, 0.88)),
    "dense fog": (0.75, (0.93, 0.92, 0.91)),
    "dust": (0.65, flight.DUST),
}


def views() -> list[np.ndarray]:
    """Clear views of simulated districts: floats in [0, 1], B, G, R."""
    found = []
    with tempfile.TemporaryDirectory(prefix="minegis-") as name:
        for seed, heading in ((7, 0.6), (3, 2.4)):
            path = Path(name) / f"{seed}.tif"
            write_scene(path, District(seed, size=1024, years=(2022,)).render(2022))
            ground, (column, row) = flight.read_ground(path, None)
            ahead = (float(np.cos(heading)), float(np.sin(heading)))
            back = flight.HEIGHT / np.tan(flight.PITCH)
            camera = flight.Camera(
                flight.MARGIN + column - back * ahead[0], flight.MARGIN + row - back * ahead[1], ahead
            )  # fmt: skip
            image = Image.fromarray(ground)
            clear = flight.look([image, image.reduce(2)], camera, WIDTH, HEIGHT)
            found.append(clear[:, :, ::-1] / 255)
    return found


def in_haze(clear: np.ndarray, scattering: float, light: tuple[float, float, float]) -> np.ndarray:
    """I = J t + A (1 - t) with the view's true distances, as bytes."""
    t = np.exp(-scattering * flight.distance(WIDTH, HEIGHT))[..., None]
    return np.floor((clear * t + np.array(light) * (1 - t)) * 255 + 0.5).astype(np.uint8)


def sheet(clear: np.ndarray, methods: dict[str, Callable[[np.ndarray], np.ndarray]]) -> Image.Image:
    """One row per kind of haze, one column per method."""
    tile, strip = (WIDTH // 2, HEIGHT // 2), 18
    columns = 2 + len(methods)
    out = Image.new("RGB", (columns * tile[0], len(KINDS) * (tile[1] + strip)), "white")
    draw, font = ImageDraw.Draw(out), ImageFont.load_default(12)
    for row, (kind, (scattering, light)) in enumerate(KINDS.items()):
        hazy = in_haze(clear, scattering, light)
        pictures = {"clear": clear, kind: hazy / 255, **{name: method(hazy) for name, method in methods.items()}}
        for column, (name, picture) in enumerate(pictures.items()):
            x, y = column * tile[0], row * (tile[1] + strip)
            shown = Image.fromarray((picture[:, :, ::-1] * 255 + 0.5).clip(0, 255).astype(np.uint8))
            out.paste(shown.resize(tile, Image.Resampling.BOX), (x, y + strip))
            text = name if column == 0 else f"{name}   {psnr(picture, clear):.1f} dB"
            draw.text((x + 4, y + 2), text, fill="black", font=font)
    return out


def main() -> None:
    """Write the sheets."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "docs" / "figures")
    options = parser.parse_args()
    methods: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "ours, standard": ours(PRESETS["standard"]),
        "ours, no sky": ours(replace(PRESETS["standard"], sky_thresh=1.0)),
        "He et al.": ours(replace(HE)),
        "CLAHE": clahe,
    }
    weights = DATA / "peer_weights" / "aodnet" / "dehazer.pth"
    if weights.is_file():
        methods["AOD-Net"] = aod_net(weights)
    options.output.mkdir(parents=True, exist_ok=True)
    for number, clear in enumerate(views(), 1):
        path = options.output / f"dehaze-{number}.jpg"
        sheet(clear, methods).save(path, quality=75, optimize=True)
        print(path, f"{path.stat().st_size / 1024:.0f} KB")


if __name__ == "__main__":
    main()
