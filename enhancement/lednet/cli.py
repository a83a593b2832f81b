"""``manage.py lednet``: night images and videos, or a folder of them, made bright and sharp. No Django, no database."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Literal

from tqdm import tqdm

from enhancement import images
from enhancement.cli import is_video, pairs_of, say
from enhancement.lednet.apply import Enhancer, fastest_engine
from enhancement.lednet.facts import SHIPPED, Choice
from enhancement.lednet.video import night_video
from minegis.errors import EnhancementError, Finding, Language, MineGISError
from minegis.terminal import default_language

FAILED = 2
_BAR = "{desc}: {percentage:3.0f}%|{bar}| {elapsed}<{remaining}"
_STAGES = {
    "zh": {"measure": "测量", "render": "增强", "join": "合成"},
    "en": {"measure": "measuring", "render": "enhancing", "join": "joining"},
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("source", type=Path, help="an image, a video, or a folder of them")
    parser.add_argument("-o", "--output", type=Path, required=True, help="file, or folder for a folder")
    parser.add_argument("--weights", type=Path, default=SHIPPED, help="of the network, its card beside it")
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:1")
    parser.add_argument("--bf16", action="store_true", help="compute in half precision")
    engine = "openvino takes half of torch's time on a CPU but a second or more per size of picture: auto, for videos"
    parser.add_argument("--engine", choices=["auto", "torch", "openvino"], default="auto", help=engine)
    parser.add_argument("--always", action="store_true", help="enhance scenes of a video in daylight too")
    parser.add_argument("--no-dehaze", action="store_true", help="leave haze in videos")
    parser.add_argument("--batch", type=int, default=1, help="frames of a video in one pass (8 on a GPU)")
    parser.add_argument("--workers", type=int, default=1, help="segments of a video done at a time")
    parser.add_argument(
        "--resume", type=Path, metavar="DIR", help="keep finished parts of videos in DIR, go on from them"
    )
    parser.add_argument("--lang", choices=["zh", "en"], default=default_language(), help="language of the output")


def main(arguments: Sequence[str]) -> int:
    """Run the command; 0 on success, 2 after a coded error."""
    parser = argparse.ArgumentParser(prog="manage.py lednet", description=__doc__)
    add_arguments(parser)
    options = parser.parse_args(arguments)
    language: Language = options.lang
    try:
        pairs = pairs_of(options.source, options.output)
        engine = _engine(options, any(is_video(source) for source, _ in pairs))
        enhancer = Enhancer.load(options.weights, device=options.device, bf16=options.bf16, engine=engine)
    except MineGISError as error:
        say(error.finding(), language)
        return FAILED
    failed = False
    for source, output in pairs:
        try:
            enhance = _video if is_video(source) else _image
            for finding in enhance(source, output, enhancer, options):
                say(finding, language, source)
        except MineGISError as error:  # one bad file does not stop a folder
            say(error.finding(), language, source)
            failed = True
    return FAILED if failed else 0


def _engine(options: argparse.Namespace, videos: bool) -> Literal["torch", "openvino"]:
    if options.engine != "auto":
        chosen: Literal["torch", "openvino"] = options.engine
        return chosen
    on_cpu = options.device == "cpu" and fastest_engine() != "torch"
    return "openvino" if videos and on_cpu and not options.bf16 else "torch"


def _image(source: Path, output: Path, enhancer: Enhancer, options: argparse.Namespace) -> list[Finding]:
    still = images.read(source)
    full = 2.0**still.bits - 1 if still.pixels.dtype.itemsize > 1 else None
    images.write(still, enhancer(still.pixels, full), output)
    return still.findings


def _video(source: Path, output: Path, enhancer: Enhancer, options: argparse.Namespace) -> list[Finding]:
    if output.suffix.lower() != ".mp4":
        raise EnhancementError("E-VID-12", value=output.name)
    if not os.access(output.parent, os.W_OK | os.X_OK):
        raise EnhancementError("E-OUT-01", value=output)
    with ExitStack() as stack:
        kept = options.resume / source.name if options.resume else None
        workdir = kept or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="minegis-")))
        bar = stack.enter_context(tqdm(total=100, file=sys.stderr, bar_format=_BAR))

        def progress(stage: str, part: float) -> None:
            bar.set_description_str(_STAGES[options.lang][stage], refresh=False)
            bar.update(max(0.0, 100 * part - bar.n))

        choice = Choice(dehaze=not options.no_dehaze, always=options.always)
        done = night_video(
            source, output, workdir, enhancer, choice=choice, workers=options.workers, batch=max(1, options.batch),
            progress=progress,
        )  # fmt: skip
    return done.findings
