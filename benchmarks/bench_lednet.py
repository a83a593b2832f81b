"""LEDNet's sizes beside its peers: operations, parameters, CPU time per megapixel, memory.

    python benchmarks/bench_lednet.py [--height 360 --width 640 --rounds 3 --threads 1]

Each way runs in a process of its own, so that its peak of memory is its own. Times are CPU seconds, least of the
rounds, without the first. Peers need their weights (``$MINEGIS_DATA``); LEDNet's are random, its speed is the same.
With a GPU at hand, frames per second of whole 1080p frames in bfloat16 as well.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import torch

from enhancement.haze_simulation import mining_scene
from enhancement.lednet import peers
from enhancement.lednet.apply import Enhancer
from enhancement.lednet.converted import OpenVinoNetwork
from enhancement.lednet.network import SIZES, LEDNet, cost

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("MINEGIS_DATA", ROOT.parent / "shared" / "data")) / "enhancement" / "peer_weights"
NOTHING, BF16, OPENVINO = "nothing", ", bf16", ", OpenVINO"


def ways() -> list[str]:
    """Everything there is to measure here; ``nothing`` is the process without a network."""
    found = [NOTHING, *(f"LEDNet {size}{engine}" for engine in ("", BF16, OPENVINO) for size in SIZES)]
    return [*found, *peers.CLASSICAL, *(name for name, (file, _) in peers.NETWORKS.items() if (DATA / file).is_file())]


def child(name: str, height: int, width: int, rounds: int) -> dict[str, float]:
    """CPU seconds of one frame and the peak of memory in GB."""
    frame = mining_scene(0, height=height, width=width).astype(np.float32) * np.float32(0.15)
    if name == NOTHING:
        method = np.copy
    elif name.startswith("LEDNet"):
        torch.manual_seed(0)
        network = LEDNet(name.removesuffix(BF16).removesuffix(OPENVINO)[-1]).eval()
        if name.endswith(OPENVINO):
            method = Enhancer(OpenVinoNetwork(network, torch.get_num_threads()), largest_whole=10**6)
        else:
            network = network.to(memory_format=torch.channels_last)
            method = Enhancer(network, bf16=name.endswith(BF16), largest_whole=10**6)
    elif name in peers.CLASSICAL:
        method = peers.CLASSICAL[name]
    else:
        method = peers.network(name, DATA)[0]
    method(frame)
    spent = []
    for _ in range(rounds):
        began = time.process_time()
        method(frame)
        spent.append(time.process_time() - began)
    return {"seconds": min(spent), "gigabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20}


def on_gpu(rounds: int) -> None:
    """Frames of 1080p per second."""
    for size in SIZES:
        network = LEDNet(size).eval().cuda().to(memory_format=torch.channels_last)
        x = torch.rand(1, 3, 1080, 1920, device="cuda").contiguous(memory_format=torch.channels_last)
        with torch.inference_mode(), torch.autocast("cuda", torch.bfloat16):
            for _ in range(3):
                network(x)
            torch.cuda.synchronize()
            began = time.perf_counter()
            for _ in range(10 * rounds):
                network(x)
            torch.cuda.synchronize()
        print(f"| LEDNet {size} | {10 * rounds / (time.perf_counter() - began):.1f} |")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--height", type=int, default=360)
    parser.add_argument("--width", type=int, default=640)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.child:
        print(json.dumps(child(options.child, options.height, options.width, options.rounds)))
        return
    print("| size | parameters, M | 256²: conv + attention, GFLOP | 512² | 1080p |\n|---|---|---|---|---|")
    for size in SIZES:
        network = LEDNet(size)
        found = [cost(network, *shape) for shape in ((256, 256), (512, 512), (1080, 1920))]
        cells = [f"{c.convolution_flop / 1e9:.1f} + {c.attention_flop / 1e9:.1f}" for c in found]
        print(f"| {size} | {found[0].parameters / 1e6:.3f} | {' | '.join(cells)} |")
    megapixels = options.height * options.width / 1e6
    load = os.getloadavg()[0]
    shape = f"{options.width}x{options.height}"
    print(f"\n{platform.machine()}, {options.threads} thread(s), {shape}, one-minute load {load:.1f}")
    print("\n| way | CPU ms per frame | ms/MP | peak, GB |\n|---|---|---|---|")
    for name in ways():
        arguments = [f"--{key}={getattr(options, key)}" for key in ("height", "width", "rounds", "threads")]
        environment = os.environ | {"OMP_NUM_THREADS": str(options.threads)}
        done = subprocess.run(
            [sys.executable, __file__, f"--child={name}", *arguments],
            stdout=subprocess.PIPE, text=True, check=True, env=environment,
        )  # fmt: skip
        found = json.loads(done.stdout)
        milliseconds = 1000 * found["seconds"]
        print(
            f"| {name} | {milliseconds:.0f} | {milliseconds / megapixels:.0f} | {found['gigabytes']:.2f} |", flush=True
        )
    if torch.cuda.is_available():
        print("\n| whole 1080p frames, GPU, bfloat16 | frames/s |\n|---|---|")
        on_gpu(options.rounds)


if __name__ == "__main__":
    main()
