"""``manage.py interpret``: a scene in, polygons, a class raster and an area table out. No Django, no database."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from tqdm import tqdm

from landdamage.imagery.checks import SceneReport, inspect_scene
from landdamage.imagery.cog import write_cog
from landdamage.interpretation.choice import choose_engine
from landdamage.interpretation.engine import KINDS, load_engine
from landdamage.interpretation.models import choose_model
from landdamage.interpretation.output import area_table, copy_class_raster, copy_geopackage
from landdamage.interpretation.result import Interpretation, interpret_scene
from minegis.errors import Finding, Language, MineGISError, SceneError
from minegis.terminal import default_language, finding_line

FAILED = 2  # exit status of a coded error
COG_SHARE = 0.1  # of the progress bar
_BAR = "{desc}: {percentage:3.0f}%|{bar}| {elapsed}<{remaining}"

_TEXT = {
    "zh": {"cog": "整理影像", "network": "解译", "polygons": "提取图斑",
           "patches": "图斑", "model": "模型", "written": "已写入"},
    "en": {"cog": "preparing", "network": "interpreting", "polygons": "polygons",
           "patches": "patches", "model": "model", "written": "written"},
}  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments, shared with Django's wrapper of it."""
    parser.add_argument("scene", type=Path, help="an orthorectified image: GeoTIFF, ERDAS IMG, PCIDSK, ENVI, JPEG 2000")
    parser.add_argument("-o", "--output", type=Path, help="write the patches to this GeoPackage")
    parser.add_argument("--raster", type=Path, help="write the class raster to this GeoTIFF")
    parser.add_argument(
        "--model", help="name of a model, or the path of its card (.json); default: by resolution and bands"
    )
    parser.add_argument("--bands", help="names of the bands in the order of the file, e.g. B,G,R,N")
    parser.add_argument("--lang", choices=["zh", "en"], default=default_language(), help="language of the output")
    parser.add_argument("--resume", type=Path, metavar="DIR", help="keep finished work in DIR and go on from it")
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    parser.add_argument(
        "--engine", choices=["auto", *KINDS], default="auto", help="what computes; default: the fastest on this machine"
    )


def main(arguments: Sequence[str]) -> int:
    """Run the command; 0 on success, 2 after a coded error."""
    parser = argparse.ArgumentParser(prog="manage.py interpret", description=__doc__)
    add_arguments(parser)
    return run(parser.parse_args(arguments))


def run(options: argparse.Namespace) -> int:
    """Do what parsed arguments ask for: results go to standard output, messages and progress to standard error."""
    language: Language = options.lang
    try:
        result = _interpret(options, language)
    except _RejectedError as rejected:
        for finding in rejected.report.findings:
            _print(finding, language)
        return FAILED
    except MineGISError as error:
        _print(error.finding(), language)
        return FAILED
    text = _TEXT[language]
    lines = (
        f"{text['model']}: {result.model.name} {result.model.version} ({result.engine})",
        f"{text['patches']}: {result.patch_count}",
        area_table(result.areas_cm2, language),
    )
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


class _RejectedError(Exception):
    """The checks found errors; all of them are printed, not only the first."""

    def __init__(self, report: SceneReport) -> None:
        self.report = report


def _interpret(options: argparse.Namespace, language: Language) -> Interpretation:
    for path in (options.output, options.raster):
        if path is not None and not os.access(path.parent, os.W_OK | os.X_OK):
            raise MineGISError("E-OUT-01", value=path)
    report = inspect_scene(options.scene, bands=options.bands.split(",") if options.bands else None)
    if report.state == "rejected":
        raise _RejectedError(report)
    metadata = report.usable()
    if metadata.gsd_m is None:
        raise SceneError("E-GEO-01")
    card, findings = choose_model(metadata.gsd_m, metadata.bands, options.model)
    for finding in (*report.findings, *findings):
        _print(finding, language)
    with ExitStack() as stack:
        workdir = options.resume or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="minegis-")))
        workdir.mkdir(parents=True, exist_ok=True)
        kind = choose_engine(
            card,
            device=options.device,
            wanted=options.engine,
            pixels=metadata.width * metadata.height,
            workdir=workdir,
        )
        engine = load_engine(card, options.device, kind)
        bar = stack.enter_context(tqdm(total=100, file=sys.stderr, bar_format=_BAR))

        def progress(stage: str, fraction: float) -> None:
            bar.set_description_str(_TEXT[language][stage], refresh=False)
            bar.update(max(0.0, 100 * fraction - bar.n))

        cog = _cog(options.scene, workdir, report, lambda part: progress("cog", COG_SHARE * part))
        result = interpret_scene(
            cog,
            workdir,
            engine=engine,
            bands=metadata.bands,
            progress=lambda stage, part: progress(stage, COG_SHARE + (1 - COG_SHARE) * part),
        )
        bar.close()
        for finding in result.findings:
            _print(finding, language)
        for path, write in ((options.output, copy_geopackage), (options.raster, copy_class_raster)):
            if path is not None:
                write(result, path)
                sys.stderr.write(f"{_TEXT[language]['written']}: {path}\n")
    return result


def _cog(scene: Path, workdir: Path, report: SceneReport, progress: Callable[[float], None]) -> Path:
    """The image as every door stores it, so that all doors see equal pixels; made once per work folder."""
    stat = scene.stat()
    path = workdir / f"scene-{stat.st_size}-{stat.st_mtime_ns}.tif"
    if not path.is_file():
        write_cog(scene, path, report=report, progress=progress)
    return path


def _print(finding: Finding, language: Language) -> None:
    sys.stderr.write(f"{finding_line(finding, language)}\n")
