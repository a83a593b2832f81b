"""Judge LEDNet beside its peers on what training never saw: ``python -m enhancement.lednet.evaluate WEIGHTS``.

    python -m enhancement.lednet.evaluate models/lednet-t.safetensors --data FOLDER -o docs/results/lednet.md

Real pairs of unseen scenes (indoors) and degraded pictures of unseen photographs and seeds (outdoors) in the layout of
the source paper's table; darkness alone, blur alone and clear pictures; artefacts. All methods see the same bytes.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from enhancement.lednet import artefacts, peers, sets
from enhancement.lednet.apply import Enhancer
from enhancement.lednet.degradation.pipeline import KINDS, Pair, degrade
from enhancement.lednet.train import SQUEEZENET, default_data
from enhancement.lpips import Lpips
from enhancement.quality import mae, psnr, ssim
from minegis.errors import MineGISError
from minegis.terminal import default_language, finding_line

Picture = np.ndarray[Any, np.dtype[Any]]
Method = Callable[[Picture], Picture]
SIDE = 256
VIDEO_WINDOWS, VIDEO_FRAMES = 4, 17
MEASURES = ("psnr", "ssim", "mae", "lpips")
TITLES = {
    "real": "indoor: real pairs, unseen scenes",
    "night": "outdoor: all steps, unseen photographs, video and seeds",
    "dark": "darkness alone",
    "blur": "blur alone",
    "clean": "clear and bright",
}


def held_back(part: sets.Split, limit: int | None = None, side: int = SIDE) -> dict[str, list[Pair]]:
    """The held-back pairs by kind: real ones whole, the others from the middles of pictures.

    Args:
        part: the test part.
        limit: most pictures of each collection.
        side: of the middles.
    """
    pictures = [_middle(sets.read(path), side) for paths in part.sharp.values() for path in paths[:limit]]
    found: dict[str, list[Pair]]
    found = {kind: [degrade(x, [sets.TEST, k], kind) for k, x in enumerate(pictures)] for kind in KINDS}
    if part.video:
        for k, frames in enumerate(sets.windows(part.video, VIDEO_WINDOWS)):
            first = (len(frames) - VIDEO_FRAMES) // 2
            sequence = [_middle(frame, side) for frame in frames[first : first + VIDEO_FRAMES]]
            for kind in ("night", "blur"):
                found[kind].append(degrade(sequence, [sets.TEST, 1000 + k], kind))
    found["real"] = []
    for dark, clear in part.real[:limit]:
        label = sets.read(clear)
        found["real"].append(Pair(sets.read(dark), label, np.ones(label.shape[:2], bool)))
    return {kind: found[kind] for kind in TITLES if found.get(kind)}


def _middle(picture: Picture, side: int) -> Picture:
    top, left = (max(0, length - side) // 2 for length in picture.shape[:2])
    return np.ascontiguousarray(picture[top : top + side, left : left + side])


def score(result: Picture, pair: Pair, lpips: Lpips | None) -> dict[str, float]:
    """All measures of one result, on 8 bits; what opaque dirt hides is taken from the label and so counts for nobody.

    PSNR over all channels together, SSIM per channel (mean), MAE on [0, 1], LPIPS with SqueezeNet.
    """
    result = np.floor(np.clip(result, 0, 1) * 255 + 0.5) / 255
    clear = pair.clear / 255.0
    result = np.where(pair.seen[..., None], result, clear)
    channels = [np.repeat(x[..., k, None], 3, 2) for k in range(3) for x in (result, clear)]
    found = {
        "psnr": min(psnr(result, clear), 100.0),
        "ssim": float(np.mean([ssim(a, b) for a, b in zip(channels[::2], channels[1::2], strict=True)])),
        "mae": mae(result, clear),
    }
    return found | ({"lpips": lpips(result, clear).value} if lpips else {})


def evaluate(
    methods: Mapping[str, Method], pairs: Mapping[str, Sequence[Pair]], lpips: Lpips | None = None,
    report: Callable[[str], object] = lambda text: None,
) -> dict[str, dict[str, Any]]:  # fmt: skip
    """Means per method and kind, with the seconds each method took."""
    table: dict[str, dict[str, Any]] = {}
    for name, method in methods.items():
        row: dict[str, Any] = {}
        began, spent = time.monotonic(), 0.0
        for kind, chosen in pairs.items():
            values = []
            for pair in chosen:
                start = time.process_time()
                result = method(pair.dark / np.float32(255))
                spent += time.process_time() - start
                values.append(score(result, pair, lpips))
            row[kind] = {key: float(np.mean([value[key] for value in values])) for key in values[0]}
        row["artefacts"] = asdict(artefacts.measure(method))
        row["cpu_seconds"] = round(spent, 1)
        table[name] = row
        report(f"{name}: {time.monotonic() - began:.0f} s")
    return table


def markdown(table: Mapping[str, Mapping[str, Any]], counts: Mapping[str, int]) -> str:
    """The tables of ``docs/results/lednet.md``."""
    lines = []
    for group in (("real", "night"), ("dark", "blur", "clean")):
        kinds = [kind for kind in group if kind in counts]
        heads = [f"{TITLES[kind]} ({counts[kind]})" for kind in kinds]
        lines += ["", f"| method | {' | '.join(heads)} |", "|---" * (len(kinds) + 1) + "|"]
        for name, row in table.items():
            lines.append(f"| {name} | {' | '.join(_cell(row[kind]) for kind in kinds)} |")
    lines += ["", "| method | halo, % | blocking | invented, % | CPU s |", "|---|---|---|---|---|"]
    for name, row in table.items():
        a = row["artefacts"]
        cells = f"{100 * a['halo']:.1f} | {a['blocking']:.2f} | {100 * a['invented']:.2f} | {row['cpu_seconds']}"
        lines.append(f"| {name} | {cells} |")
    return "\n".join(lines) + "\n"


def _cell(values: Mapping[str, float]) -> str:
    digits = {"psnr": 2, "ssim": 3, "mae": 3, "lpips": 3}
    return " / ".join(f"{values[name]:.{digits[name]}f}" for name in MEASURES if name in values)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 0 on success, 2 after a coded error."""
    parser = argparse.ArgumentParser(
        prog="python -m enhancement.lednet.evaluate", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("weights", type=Path)
    parser.add_argument("--data", type=Path, default=default_data(), help="folder of the enhancement material")
    parser.add_argument("--limit", type=int, help="most pictures of each collection")
    parser.add_argument("--alone", action="store_true", help="without the peers")
    parser.add_argument("-o", "--output", type=Path, help="Markdown file; figures as JSON beside it")
    parser.add_argument("--lang", choices=["zh", "en"], default=default_language(), help="language of the output")
    options = parser.parse_args(arguments)
    try:
        text, figures = _run(options)
    except MineGISError as error:
        sys.stderr.write(f"{finding_line(error.finding(), options.lang)}\n")
        return 2
    if options.output:
        options.output.write_text(text)
        options.output.with_suffix(".json").write_text(json.dumps(figures, indent=1) + "\n")
    sys.stdout.write(text)
    return 0


def _run(options: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    began = time.monotonic()
    enhancer = Enhancer.load(options.weights)
    part = sets.split(options.data)["test"]
    pairs = held_back(part, options.limit)
    heads, backbone = options.data / "lpips_heads" / "squeeze.pth", options.data / SQUEEZENET
    lpips = Lpips("squeeze", backbone, heads) if heads.is_file() and backbone.is_file() else None
    methods: dict[str, Method] = {"input": lambda picture: picture}
    if not options.alone:
        methods |= peers.methods(options.data / "peer_weights")
    name, training = enhancer.card["name"], enhancer.card["training"]
    methods[name] = enhancer
    table = evaluate(methods, pairs, lpips, lambda line: sys.stderr.write(f"{line}\n"))
    counts = {kind: len(chosen) for kind, chosen in pairs.items()}
    command = f"python -m enhancement.lednet.evaluate {options.weights.name}"
    command += f" --limit {options.limit}" if options.limit else ""
    text = (
        f"`{command}`: {name}, weights {enhancer.card['weights_sha256'][:12]}, step {training['steps']} of "
        f"{training['planned_steps']}, loss L1 + {enhancer.card['loss']['perceptual']}; {platform.machine()}, "
        f"{time.monotonic() - began:.0f} s. Each cell: PSNR dB / SSIM / MAE / LPIPS-squeeze; in brackets the pairs.\n"
    )
    return text + markdown(table, counts), {"about": text, "table": table, "counts": counts}


if __name__ == "__main__":
    sys.exit(main())
