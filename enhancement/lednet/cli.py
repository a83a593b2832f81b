"""``manage.py lednet``: night images and videos, or a folder of them, made bright and sharp. No Django, no database."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from enhancement import images
from enhancement.cli import FAILED, each_of, is_video, pairs_of, say, video_into
from enhancement.lednet.apply import Enhancer, fastest_engine
from enhancement.lednet.facts import SHIPPED, Choice
from enhancement.lednet.video import night_video
from enhancement.video.enhance import Done, Progress
from minegis.errors import Finding, Language, MineGISError
from minegis.terminal import default_language

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

    def work(source: Path, output: Path) -> list[Finding]:
        return (_video if is_video(source) else _image)(source, output, enhancer, options)

    return each_of(pairs, work, language)


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
    choice = Choice(dehaze=not options.no_dehaze, always=options.always)

    def make(workdir: Path, progress: Progress) -> Done:
        return night_video(
            source, output, workdir, enhancer, choice=choice, workers=options.workers, batch=max(1, options.batch),
            progress=progress,
        )  # fmt: skip

    return video_into(source, output, options.resume, _STAGES[options.lang], make)
