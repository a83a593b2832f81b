"""``manage.py degrade``: a set of dark, shaken pictures with their clear ones, from a folder of frames or clips.

Writes OUT/dark, OUT/clear (PNG), OUT/seen where dirt hides something, OUT/pairs.json with what was drawn for each, and
contact sheets OUT/sheet-N.jpg: dark, dark at four times its light, clear. Equal seeds give equal sets.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tqdm import tqdm

from enhancement import images
from enhancement.cli import is_video, say
from enhancement.lednet import sets
from enhancement.lednet.degradation import coding
from enhancement.lednet.degradation.pipeline import KINDS, Chances, Pair, degrade
from enhancement.video import source as videos
from minegis.errors import EnhancementError, MineGISError
from minegis.terminal import default_language

Picture = np.ndarray[Any, np.dtype[Any]]
FAILED = 2
ROWS, THUMB = 8, 192
CHANCES = Chances(h264=0.5)
FRAMES = 17  # of an interpolated video that become one


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("source", type=Path, help="folder of sharp images and clips")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder of the set")
    parser.add_argument("--count", type=int, default=1, help="pairs from each image")
    parser.add_argument("--windows", type=int, default=10, help="pairs from each clip")
    parser.add_argument("--kind", choices=[*KINDS, "mixed"], default="night", help="mixed takes them in turn")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--longest", type=int, default=1024, help="larger pictures are reduced to this side")
    parser.add_argument("--lang", choices=["zh", "en"], default=default_language(), help="language of the output")


def main(arguments: Sequence[str]) -> int:
    """Run the command; 0 on success, 2 after a coded error."""
    parser = argparse.ArgumentParser(prog="manage.py degrade", description=__doc__)
    add_arguments(parser)
    options = parser.parse_args(arguments)
    try:
        written = make_set(options)
    except MineGISError as error:
        say(error.finding(), options.lang)
        return FAILED
    sys.stdout.write(f"{options.output}: {written}\n")
    return 0


def make_set(options: argparse.Namespace) -> int:
    """Write the set; how many pairs it has.

    Raises:
        EnhancementError: E-ENH-13 nothing to degrade, E-ENH-14 the output is the source, E-OUT-01 it cannot be written.
    """
    known = (*images.ALL_SUFFIXES, *videos.SUFFIXES)
    files = sorted(path for path in options.source.glob("*") if path.suffix.lower() in known)
    if not files:
        raise EnhancementError("E-ENH-13", value=options.source)
    if options.output.resolve() == options.source.resolve():
        raise EnhancementError("E-ENH-14", value=options.output)
    out: Path = options.output
    try:
        for name in ("dark", "clear", "seen"):
            (out / name).mkdir(parents=True, exist_ok=True)
        rows: list[dict[str, Any]] = []
        sheet: list[Pair] = []
        for name, pair in tqdm(_pairs(files, options), file=sys.stderr, disable=not sys.stderr.isatty()):
            _write(out / "dark" / f"{name}.png", pair.dark)
            _write(out / "clear" / f"{name}.png", pair.clear)
            if not pair.seen.all():
                Image.fromarray(pair.seen).save(out / "seen" / f"{name}.png")
            rows.append({"name": name, **pair.steps})
            sheet.append(pair)
            if len(sheet) == ROWS:
                contact_sheet(sheet).save(out / f"sheet-{len(rows) // ROWS:03d}.jpg", quality=90)
                sheet.clear()
        if sheet:
            contact_sheet(sheet).save(out / f"sheet-{len(rows) // ROWS + 1:03d}.jpg", quality=90)
        (out / "pairs.json").write_text(json.dumps({"seed": options.seed, "pairs": rows}, indent=1) + "\n")
    except OSError as error:
        raise EnhancementError("E-OUT-01", value=out) from error
    return len(rows)


def _pairs(files: Sequence[Path], options: argparse.Namespace) -> Iterator[tuple[str, Pair]]:
    for number, path in enumerate(files):
        if is_video(path):
            clip = videos.probe(path)
            ratio = min(1.0, options.longest / max(clip.width, clip.height))
            size = (round(clip.width * ratio) // 2 * 2, round(clip.height * ratio) // 2 * 2)
            for k, frames in enumerate(sets.windows(path, options.windows, size)):
                first = (len(frames) - FRAMES) // 2
                kind = KINDS[k % 4] if options.kind == "mixed" else options.kind
                yield (
                    f"{path.stem}-{k:03d}",
                    degrade(frames[first : first + FRAMES], [options.seed, number, k], kind, CHANCES),
                )
        else:
            picture = _reduced(images.read(path), options.longest)
            for k in range(options.count):
                kind = KINDS[(number + k) % 4] if options.kind == "mixed" else options.kind
                yield f"{path.stem}-{k:03d}", degrade(picture, [options.seed, number, k], kind, CHANCES)


def _reduced(still: images.Still, longest: int) -> Picture:
    pixels = still.pixels.astype(np.float32) / np.float32(2**still.bits - 1)
    ratio = longest / max(pixels.shape[:2])
    picture = coding.quantised(pixels)
    if ratio >= 1:
        return picture
    size = (max(1, round(pixels.shape[1] * ratio)), max(1, round(pixels.shape[0] * ratio)))
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BOX))


def contact_sheet(pairs: Sequence[Pair]) -> Image.Image:
    """One row per pair: dark, dark at four times its shown brightness, clear."""
    sheet = Image.new("RGB", (3 * THUMB, len(pairs) * THUMB))
    for row, pair in enumerate(pairs):
        raised = np.minimum(pair.dark.astype(np.uint16) * 4, 255).astype(np.uint8)
        for column, picture in enumerate((pair.dark, raised, pair.clear)):
            image = Image.fromarray(np.ascontiguousarray(picture[:, :, ::-1]))
            image.thumbnail((THUMB, THUMB))
            sheet.paste(image, (column * THUMB, row * THUMB))
    return sheet


def _write(path: Path, picture: Picture) -> None:
    Image.fromarray(np.ascontiguousarray(picture[:, :, ::-1])).save(path)
