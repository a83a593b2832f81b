"""SE-COT-DL beside segmentation-models-pytorch's DeepLabV3+: one training step, one inference, and every engine.

    python benchmarks/bench_networks.py [--rounds N] [--light]

Both networks have the same encoder, four bands and eight classes, run in bfloat16 with channels last as our trainer
runs them, and take turns, so that a busy neighbour slows all alike; the best of the rounds counts. Theirs has
depthwise-separable convolutions in its pyramid and decoder; ours has them with ``separable="all"`` and full ones by
default, as the method's publication draws it, at the price its operations say. ``OMP_NUM_THREADS=1`` is steadier where
the cores are not free: threads that wait for each other at every layer lose more than their share.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from landdamage.interpretation import ModelCard, load_engine
from landdamage.interpretation.engine import KINDS
from landdamage.networks import _torchvision, build  # noqa: F401 - the shim must precede smp
from minegis.errors import ModelError
from minegis.training import checkpoint

# isort: split
import segmentation_models_pytorch as smp

Clock = Callable[[], float]
BANDS, CLASSES = 4, 8
STEP_BATCH, STEP_SIDE, TILE = 2, 512, 512
OURS, LEAN, THEIRS = "SE-COT-DL", "SE-COT-DL, separable", "smp DeepLabV3Plus"
PLAIN = f"{THEIRS}, plain loop in float32"
ENCODERS = {"mobilenetv2": "mobilenet_v2", "resnet50": "resnet50"}


def networks(backbone: str) -> dict[str, nn.Module]:
    """The three contestants, channels last."""
    found = {
        OURS: build("se-cot-dl", backbone, BANDS, CLASSES),
        LEAN: build("se-cot-dl", backbone, BANDS, CLASSES, separable="all"),
        THEIRS: smp.DeepLabV3Plus(ENCODERS[backbone], encoder_weights=None, in_channels=BANDS, classes=CLASSES),
    }
    return {name: network.to(memory_format=torch.channels_last) for name, network in found.items()}


def training_step(network: nn.Module) -> Callable[[], None]:
    """Forward, loss, backward and update of one batch, as a call without arguments."""
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-4)
    x = torch.randn(STEP_BATCH, BANDS, STEP_SIDE, STEP_SIDE).contiguous(memory_format=torch.channels_last)
    target = torch.randint(0, CLASSES, (STEP_BATCH, STEP_SIDE, STEP_SIDE))
    network.train()

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16):
            logits = network(x)
        loss = nn.functional.cross_entropy(logits.float(), target)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()

    return step


def inference(network: nn.Module) -> Callable[[], None]:
    """One tile, as a call without arguments."""
    x = torch.randn(1, BANDS, TILE, TILE).contiguous(memory_format=torch.channels_last)
    network.eval()

    def infer() -> None:
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            network(x)

    return infer


def cost(network: nn.Module) -> str:
    """Parameters and operations of one tile."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network.to("meta").eval()(torch.empty(1, BANDS, TILE, TILE, device="meta"))
    return f"{sum(p.numel() for p in network.parameters()) / 1e6:.2f} M, {counter.get_total_flops() / 1e9:.1f} GFLOP"


def best_of(calls: dict[str, Callable[[], object]], rounds: int, clock: Clock = time.perf_counter) -> dict[str, float]:
    """Least seconds of each call over rounds in turn; the first round makes them ready and does not count."""
    best = dict.fromkeys(calls, float("inf"))
    for number in range(rounds + 1):
        for name, call in calls.items():
            began = clock()
            call()
            if number:
                best[name] = min(best[name], clock() - began)
    return best


def engine_calls(backbone: str, folder: Path) -> dict[str, Callable[[], object]]:
    """One tile through smp's network in a plain loop and ours in every engine there is, with probabilities."""
    window = np.random.default_rng(0).normal(size=(1, BANDS, TILE, TILE)).astype(np.float32)
    theirs = smp.DeepLabV3Plus(ENCODERS[backbone], encoder_weights=None, in_channels=BANDS, classes=CLASSES).eval()

    def plain() -> object:
        with torch.inference_mode():
            return theirs(torch.from_numpy(window)).softmax(dim=1).numpy()

    calls: dict[str, Callable[[], object]] = {PLAIN: plain}
    for title, switches in ((OURS, {}), (LEAN, {"separable": "all"})):
        network = build("se-cot-dl", backbone, BANDS, CLASSES, **switches)
        name = f"bench-{backbone}-{len(calls)}"
        card = {
            "name": name, "version": "1", "bands": ["B", "G", "R", "N"], "gsd_m": 2.0, "gsd_range_m": [1, 4],
            "tile": TILE, "normalisation": "percentile-2-98", "temperature": 1.0,
            "network": {
                "name": "se-cot-dl", "backbone": backbone, "in_channels": BANDS, "classes": CLASSES,
                "switches": switches,
            },
        }  # fmt: skip
        checkpoint.save(folder / f"{name}.safetensors", network.state_dict(), card)
        for kind in KINDS:
            try:
                engine = load_engine(ModelCard.read(folder / f"{name}.json"), "cpu", kind)
            except ModelError as error:
                print(f"  {title}, {kind}: {error}")
                continue
            calls[f"{title}, {engine.name}"] = lambda engine=engine: engine.probabilities(window)
    return calls


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--engines", action="store_true", help="the engines only")
    parser.add_argument("--light", action="store_true", help="mobilenetv2 only")
    options = parser.parse_args()
    torch.manual_seed(0)
    cores = len(os.sched_getaffinity(0))
    print(f"{cores} cores, {torch.get_num_threads()} threads, torch {torch.__version__}, load {os.getloadavg()[0]:.1f}")
    for backbone in ("mobilenetv2",) if options.light else ("mobilenetv2", "resnet50"):
        contestants = {} if options.engines else networks(backbone)
        clock = time.process_time  # with one thread a busy neighbour costs wall time, not CPU time
        steps = best_of({name: training_step(n) for name, n in contestants.items()}, options.rounds, clock)
        tiles = best_of({name: inference(n) for name, n in contestants.items()}, options.rounds, clock)
        print(f"{backbone}: step of {STEP_BATCH} x {STEP_SIDE}², tile of {TILE}²")
        for name, network in contestants.items():
            print(
                f"  {name:22s} step {1e3 * steps[name]:7.0f} CPU-ms ({steps[name] / steps[THEIRS]:.2f} x theirs)  "
                f"tile {1e3 * tiles[name]:6.0f} CPU-ms ({tiles[name] / tiles[THEIRS]:.2f} x)  {cost(network)}"
            )
        with tempfile.TemporaryDirectory() as folder:
            os.environ["MINEGIS_CACHE"] = folder
            calls = engine_calls(backbone, Path(folder))
            wall, cpu = (best_of(calls, options.rounds, clock) for clock in (time.perf_counter, time.process_time))
            for name in calls:
                times = f"{wall[PLAIN] / wall[name]:.2f} and {cpu[PLAIN] / cpu[name]:.2f} times the plain loop"
                print(f"  {name}: {1 / wall[name]:.1f} tiles/s, {cpu[name]:.3f} CPU-s per tile ({times})")


if __name__ == "__main__":
    main()
