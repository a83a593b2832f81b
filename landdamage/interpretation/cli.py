"""``manage.py interpret``: scenes in, polygons, rasters and an area table out. No Django, no database."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from tqdm import tqdm

from landdamage.imagery.checks import SceneReport, inspect_scene
from landdamage.imagery.cog import write_cog
from landdamage.interpretation.choice import choose_engine
from landdamage.interpretation.crew import local_crew, threads_each
from landdamage.interpretation.engine import KINDS, load_engine
from landdamage.interpretation.ground import Ground, observed, read_area
from landdamage.interpretation.models import choose_model
from landdamage.interpretation.mosaic import expand, ranked, work_folder
from landdamage.interpretation.output import WRITERS, area_table, write_raster
from landdamage.interpretation.pace import Pacer
from landdamage.interpretation.result import NETWORK_SHARE, Interpretation, interpret_scene
from minegis.disk import free_bytes, is_full
from minegis.errors import Finding, Language, MineGISError, SceneError, message
from minegis.terminal import default_language, finding_line

FAILED = 2  # exit status of a coded error
COG_SHARE = 0.1  # of the progress bar
_BAR = "{desc}: {percentage:3.0f}%|{bar}| {elapsed}<{remaining}{postfix}"

_TEXT = {
    "zh": {"cog": "整理影像", "network": "解译", "polygons": "提取图斑",
           "patches": "图斑", "model": "模型", "written": "已写入", "scene": "影像", "pace": "km²/秒"},
    "en": {"cog": "preparing", "network": "interpreting", "polygons": "polygons",
           "patches": "patches", "model": "model", "written": "written", "scene": "scene", "pace": "km²/s"},
}  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments, shared with Django's wrapper of it."""
    parser.add_argument(
        "scenes",
        type=Path,
        nargs="+",
        metavar="SCENE",
        help="orthorectified images (GeoTIFF, ERDAS IMG, PCIDSK, ENVI, JPEG 2000), folders of them, or text files that "
        "list one a line; where they overlap the first one counts, in a folder the newest",
    )
    parser.add_argument("-o", "--output", type=Path, help="write the patches to this GeoPackage or FlatGeobuf (.fgb)")
    parser.add_argument("--raster", type=Path, help="write the class raster to this COG; of several scenes to a folder")
    parser.add_argument("--confidence", type=Path, help="write the probability of the class likewise")
    parser.add_argument("--aoi", type=Path, metavar="FILE", help="interpret only inside the polygons of this file")
    parser.add_argument(
        "--model", help="name of a model, or the path of its card (.json); default: by resolution and bands"
    )
    parser.add_argument("--bands", help="names of the bands in the order of the file, e.g. B,G,R,N")
    parser.add_argument("--lang", choices=["zh", "en"], default=default_language(), help="language of the output")
    parser.add_argument("--resume", type=Path, metavar="DIR", help="keep finished work in DIR and go on from it")
    parser.add_argument(
        "--workers", type=_at_least_one, default=1, metavar="N", help="processes that share a large scene; default 1"
    )
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    parser.add_argument(
        "--engine", choices=["auto", *KINDS], default="auto", help="what computes; default: the fastest on this machine"
    )


def _at_least_one(text: str) -> int:
    count = int(text)
    if count < 1:
        raise argparse.ArgumentTypeError(text)
    return count


def main(arguments: Sequence[str]) -> int:
    """Run the command; 0 on success, 2 after a coded error."""
    parser = argparse.ArgumentParser(prog="manage.py interpret", description=__doc__)
    add_arguments(parser)
    return run(parser.parse_args(arguments))


def run(options: argparse.Namespace) -> int:
    """Do what parsed arguments ask for: results go to standard output, messages and progress to standard error."""
    language: Language = options.lang
    with ExitStack() as stack:
        folder = options.resume or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="minegis-")))
        try:
            results = _interpret(options, folder, language)
        except _RejectedError as rejected:
            for report in rejected.reports:
                for finding in report.findings:
                    _print(finding, language, report.file_name if len(rejected.reports) > 1 else "")
            return FAILED
        except MineGISError as error:
            _print(error.finding(), language)
            return FAILED
        except Exception as error:
            full = next((place for place in (folder, *_targets(options)) if is_full(error, place)), None)
            if full is None:
                raise
            _print(Finding("E-OUT-02", "", {"free": f"{free_bytes(full) / 2**20:.0f} MiB"}), language)
            return FAILED
    text = _TEXT[language]
    areas: Counter[int] = Counter()
    for result in results:
        areas.update(result.areas_cm2)
    models = {f"{text['model']}: {r.model.name} {r.model.version} ({r.engine})": None for r in results}
    lines = (*models, f"{text['patches']}: {sum(r.patch_count for r in results)}", area_table(areas, language))
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


class _RejectedError(Exception):
    """The checks found errors; all of them are printed, not only the first."""

    def __init__(self, reports: list[SceneReport]) -> None:
        self.reports = reports


def _targets(options: argparse.Namespace) -> list[Path]:
    return [path.parent for path in (options.output, options.raster, options.confidence) if path is not None]


def _interpret(options: argparse.Namespace, folder: Path, language: Language) -> list[Interpretation]:
    listed = expand(options.scenes)
    several = len(listed) > 1
    _check_outputs(options, several)
    area = None if options.aoi is None else read_area(options.aoi)
    bands = options.bands.split(",") if options.bands else None
    scenes = ranked((one, inspect_scene(one.path, bands=bands)) for one in listed)
    rejected = [report for _, report in scenes if report.state == "rejected"]
    if rejected:
        raise _RejectedError(rejected)
    results: dict[str, Interpretation] = {}
    ground = None if area is None else Ground(area)
    for one, report in scenes:
        workdir = work_folder(folder, one.path) if several else folder
        if several:
            sys.stderr.write(f"{_TEXT[language]['scene']}: {one.path.name}\n")
        try:
            result = _interpret_one(options, one.path, report, workdir, ground, language)
        except SceneError as error:
            if error.code != "E-AOI-02" or not several:
                raise
            sys.stderr.write(f"{one.path.name}: {message(error.code, language)}\n")
            continue
        results[_unused(one.path.stem, results)] = result
        if several:
            ground = Ground(area, (*(ground.seen if ground else ()), observed(result.class_raster)))
    if not results:
        raise SceneError("E-AOI-02")
    _write(options, results, several, language)
    return list(results.values())


def _unused(name: str, taken: dict[str, Interpretation]) -> str:
    """A name for a scene: that of its file, numbered where two files share it."""
    return next(candidate for candidate in (name, *(f"{name}-{k}" for k in range(2, 1000))) if candidate not in taken)


def _check_outputs(options: argparse.Namespace, several: bool) -> None:
    """Nothing is computed for hours that could not be written in the end."""
    if options.output is not None and options.output.suffix.lower() not in WRITERS:
        raise MineGISError("E-OUT-04", value=options.output, known=", ".join(WRITERS))
    for path in (options.raster, options.confidence):
        if path is not None and several:
            if path.suffix and not path.is_dir():
                raise MineGISError("E-OUT-03", value=path)
            if os.access(path.parent, os.W_OK | os.X_OK):
                path.mkdir(exist_ok=True)
    for path in (options.output, options.raster, options.confidence):
        if path is not None and not os.access(path if path.is_dir() else path.parent, os.W_OK | os.X_OK):
            raise MineGISError("E-OUT-01", value=path)


def _write(options: argparse.Namespace, results: dict[str, Interpretation], several: bool, language: Language) -> None:
    def said(path: Path) -> None:
        sys.stderr.write(f"{_TEXT[language]['written']}: {path}\n")

    if options.output is not None:
        WRITERS[options.output.suffix.lower()](results, options.output)
        said(options.output)
    for path, raster in (
        (options.raster, lambda result: result.class_raster),
        (options.confidence, lambda result: result.confidence_raster),
    ):
        for name, result in results.items() if path is not None else ():
            target = path / f"{name}.tif" if several else path
            write_raster(raster(result), target)
            said(target)


def _interpret_one(
    options: argparse.Namespace,
    scene: Path,
    report: SceneReport,
    workdir: Path,
    ground: Ground | None,
    language: Language,
) -> Interpretation:
    metadata = report.usable()
    if metadata.gsd_m is None:
        raise SceneError("E-GEO-01")
    card, findings = choose_model(metadata.gsd_m, metadata.bands, options.model)
    for finding in (*report.findings, *findings):
        _print(finding, language)
    workdir.mkdir(parents=True, exist_ok=True)
    if options.workers > 1 and "OMP_NUM_THREADS" not in os.environ:
        os.environ["OMP_NUM_THREADS"] = str(threads_each(options.workers))  # before a library reads it
    kind = choose_engine(
        card,
        device=options.device,
        wanted=options.engine,
        pixels=metadata.width * metadata.height,
        workdir=workdir,
    )
    engine = load_engine(card, options.device, kind)
    pacer = Pacer(metadata.width * metadata.height * metadata.gsd_m**2 / 1e6)
    with tqdm(total=100, file=sys.stderr, bar_format=_BAR) as bar:

        def progress(stage: str, fraction: float) -> None:
            bar.set_description_str(_TEXT[language][stage], refresh=False)
            bar.update(max(0.0, 100 * fraction - bar.n))

        def reached(stage: str, part: float) -> None:
            pace = pacer.at(part / NETWORK_SHARE).km2_per_s if stage == "network" else None
            bar.set_postfix_str("" if pace is None else f"{pace:.3g} {_TEXT[language]['pace']}", refresh=False)
            progress(stage, COG_SHARE + (1 - COG_SHARE) * part)

        cog = _cog(scene, workdir, report, lambda part: progress("cog", COG_SHARE * part))
        crew = None
        if options.workers > 1:
            crew = local_crew(
                cog,
                workdir,
                engine=engine,
                device=options.device,
                bands=metadata.bands,
                workers=options.workers,
                ground=ground,
                told=lambda status: _print(Finding("E-JOB-08", "", {"value": status}), language),
            )
        result = interpret_scene(
            cog, workdir, engine=engine, bands=metadata.bands, progress=reached, ground=ground, crew=crew
        )
    for finding in result.findings:
        _print(finding, language)
    if options.resume is None:  # the next scene needs the room
        cog.unlink()
        shutil.rmtree(workdir / "strips")
    return result


def _cog(scene: Path, workdir: Path, report: SceneReport, progress: Callable[[float], None]) -> Path:
    """The image as every door stores it, so that all doors see equal pixels; made once per work folder."""
    stat = scene.stat()
    path = workdir / f"scene-{stat.st_size}-{stat.st_mtime_ns}.tif"
    if not path.is_file():
        write_cog(scene, path, report=report, progress=progress)
    return path


def _print(finding: Finding, language: Language, of: str = "") -> None:
    sys.stderr.write(f"{of}{': ' if of else ''}{finding_line(finding, language)}\n")
