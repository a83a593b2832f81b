"""``manage.py dehaze``: an image, a video or a folder of them in, the same without haze out. No Django, no database."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from tqdm import tqdm

from enhancement import images
from enhancement.dehaze.fast import Dehazer
from enhancement.dehaze.settings import PRESETS, Settings, preset
from enhancement.video import source as videos
from enhancement.video.enhance import Done, Progress, dehaze_video
from minegis.errors import EnhancementError, Finding, Language, MineGISError
from minegis.terminal import default_language, finding_line

FAILED = 2  # exit status of a coded error
_BAR = "{desc}: {percentage:3.0f}%|{bar}| {elapsed}<{remaining}"
_STAGES = {
    "zh": {"measure": "测量", "render": "去雾", "join": "合成"},
    "en": {"measure": "measuring", "render": "dehazing", "join": "joining"},
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("source", type=Path, help="an image, a video, or a folder of them")
    parser.add_argument("-o", "--output", type=Path, required=True, help="file, or folder for a folder")
    parser.add_argument("--preset", default="standard", choices=list(PRESETS))
    parser.add_argument("--omega", type=float, help="share of the haze taken away, 0.5 to 1")
    parser.add_argument("--sky-thresh", type=float, help="brightness from which a pixel may be sky, 0.3 to 1")
    parser.add_argument("--sky-trans", type=float, help="least transmission of sky, 0.5 to 0.98")
    parser.add_argument("--window", type=_window, dest="window_size", help="dark channel's window, 5 to 25, or auto")
    parser.add_argument("--no-night-gate", action="store_true", help="treat frames of the night and clear ones too")
    parser.add_argument("--threads", type=int, default=1, help="threads per image")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="segments of a video done at a time")
    parser.add_argument(
        "--resume", type=Path, metavar="DIR", help="keep finished parts of videos in DIR, go on from them"
    )
    parser.add_argument("--lang", choices=["zh", "en"], default=default_language(), help="language of the output")


def _window(text: str) -> int | str:
    return text if text == "auto" else int(text)


def main(arguments: Sequence[str]) -> int:
    """Run the command; 0 on success, 2 after a coded error."""
    parser = argparse.ArgumentParser(prog="manage.py dehaze", description=__doc__)
    add_arguments(parser)
    return run(parser.parse_args(arguments))


def run(options: argparse.Namespace) -> int:
    """Do what parsed arguments ask for; results are files, messages go to standard error."""
    language: Language = options.lang
    try:
        dehazer = Dehazer(_settings(options), threads=max(1, options.threads))
        for finding in dehazer.findings:
            say(finding, language)
        pairs = pairs_of(options.source, options.output)
    except MineGISError as error:
        say(error.finding(), language)
        return FAILED

    def work(source: Path, output: Path) -> list[Finding]:
        return _video(source, output, dehazer, options) if is_video(source) else dehaze_file(source, output, dehazer)

    return each_of(pairs, work, language)


def each_of(
    pairs: Sequence[tuple[Path, Path]], work: Callable[[Path, Path], list[Finding]], language: Language
) -> int:  # fmt: skip
    """Work on files one by one and say what was remarkable; 2 if any failed, which does not stop the others."""
    failed = False
    for source, output in pairs:
        try:
            for finding in work(source, output):
                say(finding, language, source)
        except MineGISError as error:
            say(error.finding(), language, source)
            failed = True
    return FAILED if failed else 0


def dehaze_file(source: Path, output: Path, dehazer: Dehazer) -> list[Finding]:
    """Dehaze one image file; returns what was remarkable.

    Raises:
        EnhancementError: the file cannot be read, dehazed or written (E-ENH-07 to E-ENH-12, E-OUT-01).
    """
    still = images.read(source)
    result = dehazer(still.pixels, bits=still.bits if still.pixels.dtype.itemsize > 1 else None)
    images.write(still, result.image, output)
    return [*still.findings, *result.findings[len(dehazer.findings) :]]


def is_video(path: Path) -> bool:
    """Whether a file is to be read as a video: by its first bytes, else by its suffix."""
    if images.format_of(path) is not None:
        return False
    return videos.looks_like_video(path) or path.suffix.lower() in videos.SUFFIXES


def _video(source: Path, output: Path, dehazer: Dehazer, options: argparse.Namespace) -> list[Finding]:
    def make(workdir: Path, progress: Progress) -> Done:
        return dehaze_video(source, output, workdir, dehazer, workers=options.workers, progress=progress)

    return video_into(source, output, options.resume, _STAGES[options.lang], make)


def video_into(
    source: Path, output: Path, resume: Path | None, stages: Mapping[str, str], make: Callable[[Path, Progress], Done]
) -> list[Finding]:
    """Make a video, ``make(workdir, progress)``, with a bar on standard error that names the ``stages``.

    Args:
        source: to read.
        output: to write.
        resume: folder that keeps finished parts, in a folder of the file's name; None for none.
        stages: texts of what ``progress`` reports.
        make: makes it in a folder for finished parts.

    Raises:
        EnhancementError: E-VID-12, the output is no MP4; E-OUT-01, its folder cannot be written.
    """
    if output.suffix.lower() != ".mp4":
        raise EnhancementError("E-VID-12", value=output.name)
    if not os.access(output.parent, os.W_OK | os.X_OK):
        raise EnhancementError("E-OUT-01", value=output)
    with ExitStack() as stack:
        kept = resume / source.name if resume else None
        workdir = kept or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="minegis-")))
        bar = stack.enter_context(tqdm(total=100, file=sys.stderr, bar_format=_BAR))

        def progress(stage: str, part: float) -> None:
            bar.set_description_str(stages[stage], refresh=False)
            bar.update(max(0.0, 100 * part - bar.n))

        return make(workdir, progress).findings


def _settings(options: argparse.Namespace) -> Settings:
    names = ("omega", "sky_thresh", "sky_trans", "window_size")
    chosen = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    settings = preset(options.preset, **chosen)
    return replace(settings, night_gate=False) if options.no_night_gate else settings


def pairs_of(source: Path, output: Path) -> list[tuple[Path, Path]]:
    """Files to read and to write: one, or those of a folder, whose output folder is made.

    Raises:
        EnhancementError: E-ENH-13 nothing to read, E-ENH-14 the output would overwrite it, E-OUT-01 no such place.
    """
    if source.is_dir():
        known = (*images.ALL_SUFFIXES, *videos.SUFFIXES)
        files = sorted(path for path in source.iterdir() if path.suffix.lower() in known)
        if not files:
            raise EnhancementError("E-ENH-13", value=source)
        if output.resolve() == source.resolve():
            raise EnhancementError("E-ENH-14", value=output)
        try:
            output.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise EnhancementError("E-OUT-01", value=output) from error
        return [(path, output / (f"{path.stem}.mp4" if is_video(path) else path.name)) for path in files]
    if output.resolve() == source.resolve():
        raise EnhancementError("E-ENH-14", value=output)
    return [(source, output)]


def say(finding: Finding, language: Language, path: Path | None = None) -> None:
    """One line on standard error."""
    sys.stderr.write((f"{path.name}: " if path else "") + f"{finding_line(finding, language)}\n")
