"""How the interpretation grows with workers and with the scene.

First one scene is interpreted by 1, 2, 3 and 4 processes (``--workers``), each with the processors' share of threads;
then scenes of growing size by one process. A line each: wall and CPU seconds of all processes, km²/s, the peak memory
of the largest process, and whether the class raster is that of the first line of its scene, to the bit. Usage:

    python benchmarks/bench_interpretation_scaling.py [--size 4096] [--workers 1 2 3 4] [--sizes 4096 8192 16384 32768]
                                                      [--model NAME|CARD.json] [--light]

``--light`` puts a network of one cheap layer in the place of the model: what remains is the work around it. Without
options it takes the light network, one scene of 2048 pixels, one and two workers: a look whether everything works.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
sys.path.insert(0, str(ROOT / "benchmarks"))

from bench_interpretation_memory import MALLOC, make_scene  # noqa: E402

SCENE = "scene.tif"
GSD_M = 2.0


def light_card(folder: Path) -> Path:
    """A card and weights of the smallest network there is, at random: it costs little and speckles."""
    import torch

    from landdamage.networks import build
    from minegis.training import checkpoint

    torch.manual_seed(0)
    spec = {"name": "dl", "backbone": "squeezenet", "in_channels": 4, "classes": 8, "switches": {}}
    card = {
        "name": "light", "version": "1", "network": spec, "bands": ["B", "G", "R", "N"], "gsd_m": GSD_M,
        "gsd_range_m": [1, 4], "tile": 512, "normalisation": "percentile-2-98", "temperature": 1.0,
    }  # fmt: skip
    state = build("dl", backbone="squeezenet", in_channels=4, classes=8).state_dict()
    state["classifier.weight"] *= 3000
    checkpoint.save(folder / "light.safetensors", state, card)
    return folder / "light.json"


def interpret(scene: Path, folder: Path, workers: int, block_pixels: int, model: str) -> dict[str, Any]:
    """The command itself in a fresh process, its children counted in; a record of what it took."""
    program = (
        "import functools, json, resource, sys\n"
        "from landdamage.interpretation import cli\n"
        f"cli.interpret_scene = functools.partial(cli.interpret_scene, block_pixels={block_pixels})\n"
        f"cli.local_crew = functools.partial(cli.local_crew, block_pixels={block_pixels})\n"
        "status = cli.main(sys.argv[1:])\n"
        "own, theirs = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)\n"
        "print(json.dumps({'cpu_s': own.ru_utime + own.ru_stime + theirs.ru_utime + theirs.ru_stime,\n"
        "                  'peak_mb': max(own.ru_maxrss, theirs.ru_maxrss) // 1024}))\n"
        "sys.exit(status)\n"
    )
    command = [sys.executable, "-c", program, str(scene), "--resume", str(folder), "--workers", str(workers)]
    command += ["--lang", "en", *(["--model", model] if model else [])]
    started = time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, **MALLOC}, capture_output=True, text=True)
    wall = time.perf_counter() - started
    if done.returncode:
        raise SystemExit(done.stderr)
    record = json.loads(done.stdout.splitlines()[-1])
    digest = hashlib.sha256()
    import rasterio

    with rasterio.open(folder / "class.tif") as raster:
        for _, window in raster.block_windows(1):
            digest.update(raster.read(1, window=window).tobytes())
        km2 = raster.width * raster.height * GSD_M**2 / 1e6
    return {"wall_s": wall, **record, "km2_per_s": km2 / wall, "pixels": digest.hexdigest()[:12]}


def line(first: str, record: dict[str, Any], reference: str) -> str:
    """A row of the table."""
    same = "as the first" if record["pixels"] == reference else "DIFFERS from the first"
    return (
        f"{first}  wall {record['wall_s']:8.1f} s  cpu {record['cpu_s']:8.1f} s  {record['km2_per_s']:7.3f} km²/s"
        f"  peak {record['peak_mb']:5d} MB  {same}"
    )


def main() -> int:
    """Print both tables; 1 if the number of workers changed a pixel."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=2048, help="of the scene that workers share")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--sizes", type=int, nargs="*", default=[], help="of scenes for one worker")
    parser.add_argument("--block-pixels", type=int, default=0, help="default: an eighth of the shared scene")
    parser.add_argument("--model", default="")
    parser.add_argument("--light", action="store_true")
    parser.add_argument("--seed", type=int, default=5)
    options = parser.parse_args()
    changed = False
    with tempfile.TemporaryDirectory(prefix="minegis-bench-") as name:
        base = Path(name)
        # One thread in all: torch on a CPU adds up otherwise with another number, which is no matter of the blocks.
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        model = options.model if options.model and not options.light else str(light_card(base))
        make_scene(options.size, base / SCENE, options.seed)
        block = options.block_pixels or max(1, options.size**2 // 8)
        reference = ""
        threads = os.environ["OMP_NUM_THREADS"]
        print(f"{options.size} x {options.size} pixels, blocks of {block} pixels, {threads} thread(s) each")
        for workers in options.workers:
            record = interpret(base / SCENE, base / f"w{workers}", workers, block, model)
            reference = reference or record["pixels"]
            changed |= record["pixels"] != reference
            print(line(f"{workers} worker(s)", record, reference), flush=True)
        for size in options.sizes:
            make_scene(size, base / SCENE, options.seed)
            record = interpret(base / SCENE, base / f"s{size}", 1, size**2, model)
            print(line(f"{size:6d} pixels", record, record["pixels"]), flush=True)
    return int(changed)


if __name__ == "__main__":
    sys.exit(main())
