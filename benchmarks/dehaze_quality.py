"""Quality of dehazing on photos put into haze of known depth; writes docs/results/dehaze.md.

    python benchmarks/dehaze_quality.py [--photos 30] [--longest 640]

Photos are those of the public material (``$MINEGIS_DATA``): urban100, of which every n-th is taken, and kodak12.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from enhancement.dehaze.fast import Dehazer
from enhancement.dehaze.settings import PRESETS, Settings
from enhancement.haze_simulation import KINDS, add_haze
from enhancement.lpips import Lpips
from enhancement.quality import mae, psnr, ssim

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("MINEGIS_DATA", ROOT.parent / "shared" / "data")) / "enhancement"
HE = Settings(
    omega=0.95, window_size=15, radius=60, non_sky_gain=1.0, sky_thresh=1.0, airlight="seed", night_gate=False
)


def clahe(frame: np.ndarray) -> np.ndarray:
    """Contrast-limited histogram equalisation of the lightness, limit 2, 8 x 8 tiles."""
    lab = cv2.cvtColor(frame, cv2.COLOR_BGR2LAB)
    lab[:, :, 0] = cv2.createCLAHE(2.0, (8, 8)).apply(lab[:, :, 0])
    return cv2.cvtColor(lab, cv2.COLOR_LAB2BGR) / 255


def aod_net(weights: Path) -> Callable[[np.ndarray], np.ndarray]:
    """AOD-Net (Li et al. 2017) with published weights."""
    state = torch.load(weights, map_location="cpu", weights_only=True)

    def layer(number: int, *inputs: torch.Tensor) -> torch.Tensor:
        weight, bias = state[f"e_conv{number}.weight"], state[f"e_conv{number}.bias"]
        return F.relu(F.conv2d(torch.cat(inputs, 1), weight, bias, padding=weight.shape[2] // 2))

    @torch.inference_mode()
    def run(frame: np.ndarray) -> np.ndarray:
        x = torch.from_numpy(np.ascontiguousarray(frame[:, :, ::-1])).float().permute(2, 0, 1)[None] / 255
        x1 = layer(1, x)
        x2 = layer(2, x1)
        x3 = layer(3, x1, x2)
        x4 = layer(4, x2, x3)
        k = layer(5, x1, x2, x3, x4)
        return F.relu(k * x - k + 1)[0].permute(1, 2, 0).numpy()[:, :, ::-1].clip(0, 1)

    return run


def ours(settings: Settings) -> Callable[[np.ndarray], np.ndarray]:
    """Our fast path with the night gate off, as 0..1."""
    dehazer = Dehazer(replace(settings, night_gate=False))
    return lambda frame: dehazer(frame).image / 255


def photos(number: int, longest: int) -> list[np.ndarray]:
    """Clear pictures in B, G, R."""
    urban = sorted((DATA / "sharp" / "urban100").glob("*.webp"))
    chosen = urban[:: max(1, len(urban) // number)][:number] + sorted((DATA / "validation" / "kodak12").glob("*.webp"))
    found = []
    for path in chosen:
        with Image.open(path) as image:
            small = image.convert("RGB")
            small.thumbnail((longest, longest), Image.Resampling.BOX)
            found.append(np.asarray(small)[:, :, ::-1] / 255)
    return found


def main() -> None:
    """Measure, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=30)
    parser.add_argument("--longest", type=int, default=640)
    parser.add_argument("--only", nargs="+", metavar="METHOD", help="measure these rows anew, the others stay")
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "docs" / "results" / "dehaze.md")
    options = parser.parse_args()
    torch.set_num_threads(1)
    began = time.perf_counter()
    weights = DATA / "weights_squeezenet11" / "squeezenet1_1_half.pth"
    distance = Lpips("squeeze", weights, DATA / "lpips_heads" / "squeeze.pth")
    methods: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "hazy input": lambda frame: frame / 255,
        "CLAHE": clahe,
        "AOD-Net": aod_net(DATA / "peer_weights" / "aodnet" / "dehazer.pth"),
        "He et al. (0.95, window 15, radius 60)": ours(HE),
        **{f"ours, preset {name}": ours(settings) for name, settings in PRESETS.items()},
    }
    if options.only:
        methods = {name: methods[name] for name in options.only}
    pictures = photos(options.photos, options.longest)
    scores: dict[str, dict[str, list[tuple[float, ...]]]] = {name: {kind: [] for kind in KINDS} for name in methods}
    for seed, clear in enumerate(pictures):
        for kind in KINDS:
            hazy = add_haze(clear, kind, seed)
            for name, method in methods.items():
                result = method(hazy.hazy)
                scores[name][kind].append(
                    (psnr(result, clear), ssim(result, clear), mae(result, clear), distance(result, clear).value)
                )
    lines = [
        "# Dehazing: figures", "",
        f"`python benchmarks/dehaze_quality.py --photos {options.photos} --longest {options.longest}`: "
        f"{len(pictures)} photos (every n-th of urban100, kodak12), box-reduced to {options.longest} pixels, each in "
        "light fog, dense fog and dust of known depth (`enhancement/haze_simulation.py`: receding ground, soft rises "
        "that follow nothing in the picture; scattering and air light drawn per photo, seeds 0, 1, ...). "
        f"{platform.machine()}, {os.cpu_count()} cores, {time.perf_counter() - began:.0f} s. "
        f"LPIPS: SqueezeNet 1.1 ({weights.name}). Means over the photos; the night gate is off for all.", "",
        "| method | " + " | ".join(f"{kind}: PSNR dB / SSIM" for kind in KINDS) + " | all: PSNR / SSIM / MAE / LPIPS |",
        "|---|" + "---|" * (len(KINDS) + 1),
    ]  # fmt: skip
    rows = {}
    for name in methods:
        cells = []
        for kind in KINDS:
            mean = np.mean(scores[name][kind], axis=0)
            cells.append(f"{mean[0]:.2f} / {mean[1]:.3f}")
        total = np.mean([row for kind in KINDS for row in scores[name][kind]], axis=0)
        cells.append(f"{total[0]:.2f} / {total[1]:.3f} / {total[2]:.3f} / {total[3]:.3f}")
        rows[name] = f"| {name} | " + " | ".join(cells) + " |"
    lines += rows.values()
    if options.only:  # the same photos in the same haze: rows are comparable whenever they were measured
        known = options.output.read_text().partition("\n## ")[0].rstrip("\n").split("\n")
        lines = [rows.get(line.split(" | ")[0].removeprefix("| "), line) for line in known]
    text = "\n".join(lines) + "\n"
    print(text)
    if options.output.exists():  # what people wrote below the table stays
        rest = options.output.read_text().partition("\n## ")
        text += rest[1] + rest[2]
    options.output.write_text(text)


if __name__ == "__main__":
    main()
