"""Memory and speed of interpreting large scenes: the process must stay below 2 GB and not grow with the scene.

A simulated district is repeated, mirrored, to scenes of 4 bands; each is packed as a COG and interpreted in a process
of its own, from opening it to the written GeoPackage. Usage:

    python benchmarks/bench_interpretation_memory.py [--sizes 4096 8192] [--model NAME|CARD.json] [--light]

``--light`` puts a mean filter and a 1x1 convolution in the place of the network: what remains is the work around it.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from landdamage.interpretation import Engine

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
BASE = 2048  # pixels of the simulated district
LIMIT_MB = 2048
# As in the Procfile: without them every large activation is mapped and unmapped again.
MALLOC = {
    "MALLOC_MMAP_THRESHOLD_": "4000000000",
    "MALLOC_TRIM_THRESHOLD_": "16000000000",
    "MALLOC_ARENA_MAX": "1",
}


def make_scene(size: int, path: Path, seed: int) -> None:
    """Write a scene of size x size pixels, uint16, bands B, G, R, N at 2 m."""
    import numpy as np
    import rasterio
    from rasterio.windows import Window

    from landdamage.simulation import District

    scene = District(seed, size=BASE).render(2021)
    pixels = np.where(scene.valid, scene.pixels, 0).astype(np.uint16)
    profile = {"driver": "GTiff", "width": size, "height": size, "count": 4, "dtype": "uint16", "nodata": 0}
    with rasterio.open(
        path, "w", crs=scene.crs, transform=scene.transform, tiled=True, compress="deflate", zlevel=1, **profile
    ) as out:
        out.descriptions = ("B", "G", "R", "N")
        for i, top in enumerate(range(0, size, BASE)):
            for j, left in enumerate(range(0, size, BASE)):
                tile = pixels[:, :: -1 if i % 2 else 1, :: -1 if j % 2 else 1]
                height, width = min(BASE, size - top), min(BASE, size - left)
                out.write(tile[:, :height, :width], window=Window(left, top, width, height))


def peak_mb() -> int:
    """Highest resident memory of this process so far, in MB (``ru_maxrss`` would include that of the parent)."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) // 1024


def pack(scene: Path, cog: Path) -> dict[str, float]:
    """Check and pack a scene as the upload does."""
    from landdamage.imagery.checks import inspect_scene
    from landdamage.imagery.cog import write_cog

    started = time.perf_counter()
    write_cog(scene, cog, report=inspect_scene(scene))
    return {"cog_s": time.perf_counter() - started, "cog_peak_mb": peak_mb()}


def light_engine() -> Engine:
    """Classes by colour of the neighbourhood: speckled maps at next to no cost."""
    import torch

    from landdamage.interpretation import EagerEngine, ModelCard

    torch.manual_seed(0)
    mean = torch.nn.Conv2d(4, 4, 9, padding=4, groups=4, bias=False)
    torch.nn.init.constant_(mean.weight, 1 / 81)
    colours = torch.nn.Conv2d(4, 8, 1)
    torch.nn.init.normal_(colours.weight, std=3)
    network = {"name": "light", "classes": 8}
    card = ModelCard(
        "light", "1", network, tuple("BGRN"), 2.0, (1.0, 4.0), 512, "percentile-2-98", 1.0, "0" * 64, Path("light.json")
    )
    return EagerEngine(card, torch.nn.Sequential(mean, colours), "cpu", bf16=False)


def interpret(cog: Path, workdir: Path, model: str) -> dict[str, float | str]:
    """Interpret a packed scene as the worker does; the model ``light`` stands for the network left out."""
    from landdamage.interpretation import choose_model, interpret_scene, load_engine
    from landdamage.interpretation.output import write_geopackage

    started = time.perf_counter()
    engine = light_engine() if model == "light" else load_engine(choose_model(2.0, tuple("BGRN"), model or None)[0])
    ready = time.perf_counter()
    ends: dict[str, tuple[float, int]] = {}

    def progress(stage: str, fraction: float) -> None:
        ends[stage] = (time.perf_counter(), peak_mb())

    result = interpret_scene(cog, workdir, engine=engine, bands=tuple("BGRN"), progress=progress)
    write_geopackage({"scene": result}, workdir / "copy.gpkg")
    done = time.perf_counter()
    cpu = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "engine": engine.name,
        "windows": result.windows,
        "windows_per_s": result.windows / (ends["network"][0] - ready),
        "network_s": ends["network"][0] - ready,
        "polygons_s": ends["polygons"][0] - ends["network"][0],
        "all_s": done - started,
        "cpu_s": cpu.ru_utime + cpu.ru_stime,
        "patches": result.patch_count,
        "network_peak_mb": ends["network"][1],
        "peak_mb": peak_mb(),
    }


def child(*arguments: str) -> dict[str, float | str]:
    """Run one step of this file in a fresh process and return the record it prints."""
    command = [sys.executable, __file__, "--child", *arguments]
    done = subprocess.run(command, env={**os.environ, **MALLOC}, stdout=subprocess.PIPE, check=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> int:
    """Measure each size; 1 if the largest needs more than the limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[4096, 8192])
    parser.add_argument("--model", default="")
    parser.add_argument("--light", action="store_true")
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--child", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        step, *rest = options.child
        if step == "pack":
            print(json.dumps(pack(Path(rest[0]), Path(rest[1]))))
        else:
            print(json.dumps(interpret(Path(rest[0]), Path(rest[1]), rest[2])))
        return 0
    peak = 0.0
    for size in options.sizes:
        with tempfile.TemporaryDirectory(prefix="minegis-bench-") as name:
            folder = Path(name)
            make_scene(size, folder / "scene.tif", options.seed)
            record: dict[str, float | str] = {"size": size}
            record |= child("pack", str(folder / "scene.tif"), str(folder / "cog.tif"))
            model = "light" if options.light else options.model
            record |= child("interpret", str(folder / "cog.tif"), str(folder / "work"), model)
        print(
            "  ".join(
                f"{key} {round(value, 1) if isinstance(value, float) else value}" for key, value in record.items()
            )
        )
        peak = max(peak, float(record["peak_mb"]))
    print(f"peak memory {peak:.0f} MB, limit {LIMIT_MB} MB")
    return int(peak > LIMIT_MB)


if __name__ == "__main__":
    sys.exit(main())
