"""``manage.py samples``: labelled files in, a folder of tiles out. No Django, no database."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tqdm import tqdm

from landdamage.interchange.classes import Choices
from landdamage.learning.samples import leaks, table
from landdamage.learning.samples.build import build
from landdamage.learning.samples.images import ImageSource, image_of_file
from landdamage.learning.samples.imports import (
    label_rasters,
    raster_files,
    raster_values,
    read_ground,
    read_named,
    read_polygons,
)
from landdamage.learning.samples.material import Layer, Material, PolygonMaterial, RasterMaterial
from landdamage.learning.samples.params import Params
from landdamage.learning.samples.sampleset import SampleSet
from minegis.errors import Finding, Language, MineGISError
from minegis.terminal import default_language, finding_line

FAILED = 2  # exit status of a coded error
_BAR = "{desc}: {percentage:3.0f}%|{bar}| {elapsed}<{remaining}"
_TEXT = {
    "zh": {"look": "统计标注", "tiles": "切片", "leaks": "检查泄漏", "keep": "保存",
           "written": "已写入", "leaky": "有泄漏(仅供复现论文)", "whole": "样本集完整，各集合之间无泄漏"},
    "en": {"look": "reading labels", "tiles": "cutting tiles",
           "leaks": "looking for leaks", "keep": "keeping", "written": "written",
           "leaky": "leaky (for reproducing the paper only)", "whole": "the set is whole and nothing leaks"},
}  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments, shared with Django's wrapper of it."""
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--vectors", type=Path, nargs="+", metavar="FILE", help="labelled polygons, e.g. a shapefile")
    source.add_argument(
        "--labels", type=Path, nargs="+", metavar="PLACE", help="label rasters (files, folders) named as their images"
    )
    source.add_argument("--check", type=Path, metavar="FOLDER", help="only prove a finished set: hashes and leaks")
    parser.add_argument("--images", type=Path, nargs="+", metavar="PLACE", help="images (files, folders)")
    parser.add_argument("-o", "--output", type=Path, metavar="FOLDER", help="of the sample set; must not exist yet")
    parser.add_argument("--name", default="", help="of the set")
    parser.add_argument("--lang", choices=["zh", "en"], default=default_language(), help="language of the output")
    about = parser.add_argument_group("labels")
    about.add_argument(
        "--surveyed", type=Path, help="polygons of surveyed ground: unlabelled ground there is background"
    )
    about.add_argument("--mines", type=Path, help="polygons of mines, for --regions mine")
    about.add_argument("--mine-column", default="code", help="column of --mines that tells them apart")
    about.add_argument("--layer", default="", help="layer to read where a file holds several")
    about.add_argument("--crs", default="", help="EPSG code for files without coordinate system")
    about.add_argument("--encoding", default="", choices=["", "utf-8", "gbk"], help="of a shapefile's table")
    about.add_argument("--column", default="", help="column that holds the class")
    about.add_argument(
        "--map", action="append", default=[], metavar="WHAT=CLASS",
        help="what a word or a raster value means: a class code, ignore or (words) skip",
    )  # fmt: skip
    add_parameters(parser)


def add_parameters(parser: argparse.ArgumentParser) -> None:
    """The arguments that become ``Params``; their defaults are written there."""
    group = parser.add_argument_group("tiles and split")
    group.add_argument("--bands", help="names of the bands in the order of the files, e.g. B,G,R,N")
    group.add_argument("--gsd", type=float, dest="gsd_m", help="sampling distance of all tiles in metres (2)")
    group.add_argument("--tile", type=int, help="side of a tile in pixels (512)")
    group.add_argument("--stride", type=int, help="between training tiles, pixels (384)")
    group.add_argument("--ring", type=int, dest="ring_px", help="width of the unsure band along borders, pixels (0)")
    group.add_argument("--most-background", type=float, help="largest share of background tiles (0.3)")
    group.add_argument("--regions", choices=["cell", "mine", "image"], help="what never parts between sets (cell)")
    group.add_argument("--cell", type=float, dest="cell_m", help="side of a cell in metres (5000)")
    group.add_argument("--overlaps", choices=["part", "join"], help="leave out tiles near another set, or join regions")
    group.add_argument("--gap", type=float, dest="gap_tiles", help="least distance between sets, in tiles (1)")
    group.add_argument("--folds", type=int, help="cross-validation by region with so many folds instead of 6:2:2")
    group.add_argument("--split", choices=["region", "s2"], help="s2: as the source paper did; leaks")
    group.add_argument("--seed", type=int, help="of whatever is chosen by chance (0)")


_PARAMETERS = (
    "gsd_m", "tile", "stride", "ring_px", "most_background", "regions", "cell_m", "overlaps", "gap_tiles", "folds",
    "split", "seed", "bands",
)  # fmt: skip


def parameters(options: Mapping[str, object]) -> Params:
    """``Params`` of parsed arguments; what was not given takes its default.

    Raises:
        SampleSetError: E-SET-24, a value is out of its range.
    """
    return Params.from_dict({name: options[name] for name in _PARAMETERS if options.get(name) is not None})


def main(arguments: Sequence[str]) -> int:
    """Run the command; 0 on success, 2 after a coded error."""
    parser = argparse.ArgumentParser(prog="manage.py samples", description=__doc__)
    add_arguments(parser)
    options = parser.parse_args(arguments)
    if options.check is None and (not options.images or not options.output):
        parser.error("--images and -o are needed")
    if any("=" not in pair for pair in options.map):
        parser.error("--map wants WHAT=CLASS")
    return run(options)


def run(options: argparse.Namespace) -> int:
    """Do what parsed arguments ask for: the table goes to standard output, the rest to standard error."""
    language: Language = options.lang
    try:
        if options.check is not None:
            return _check(options.check, language)
        params = parameters(vars(options))
        images = [image_of_file(path, params.bands if options.bands else None) for path in raster_files(options.images)]
        if not options.bands and images:
            params = _with_common_bands(params, images)
        material = _material(options, images, language)
        if material is None:
            return FAILED
        named = read_named(options.mines, column=options.mine_column) if options.mines else []
        with tqdm(total=100, file=sys.stderr, bar_format=_BAR, disable=None) as bar:

            def progress(stage: str, share: float) -> None:
                bar.set_description_str(_TEXT[language][stage], refresh=False)
                bar.update(max(0.0, 100 * share - bar.n))

            made = build(material, params, options.output, name=options.name, named=named, progress=progress)
    except MineGISError as error:
        print_finding(error.finding(), language)
        return FAILED
    show(made, language)
    return 0


def show(made: SampleSet, language: Language) -> None:
    """Print a finished set: what there is to say about it, and its table."""
    for row in made.findings:
        print_finding(Finding(row["code"], row["field"], row["values"], row["severity"]), language)
    sys.stdout.write(table.as_text(made.table, language) + "\n")
    mark = f" {_TEXT[language]['leaky']}" if made.leaky else ""
    bands = ",".join(made.params.bands)
    sys.stderr.write(f"{_TEXT[language]['written']}: {made.folder} ({bands}) {made.sha256}{mark}\n")


def print_finding(finding: Finding, language: Language) -> None:
    """One fault on standard error."""
    sys.stderr.write(f"{finding_line(finding, language)}\n")


def _check(folder: Path, language: Language) -> int:
    found = SampleSet.open(folder)
    found.verify()
    leaks.check(found)
    sys.stdout.write(f"{_TEXT[language]['whole']}: {found.sha256}\n")
    return 0


def _with_common_bands(params: Params, images: Sequence[ImageSource]) -> Params:
    """The bands of the default that every image has, so that three-band images need no argument."""
    common = [band for band in params.bands if all(band in image.bands for image in images)]
    return Params.from_dict({**params.as_dict(), "bands": common or list(params.bands)})


def _material(options: argparse.Namespace, images: Sequence[ImageSource], language: Language) -> Material | None:
    """What the arguments name; None where a vector file has errors, all of which have been printed."""
    mapping = dict(pair.split("=", 1) for pair in options.map)
    if options.labels:
        rasters = label_rasters([image.name for image in images], options.labels)
        return RasterMaterial(images, rasters, raster_values(mapping))
    choices = Choices(options.layer, options.crs, options.encoding, options.column, mapping)
    layers: list[Layer] = []
    failed = False
    for path in options.vectors:
        found = read_polygons(path, choices=choices)
        for finding in found.findings:
            print_finding(finding, language)
        if found.layer is None:
            failed = True
        else:
            layers.append(found.layer)
    if failed:
        return None
    surveyed = read_ground(options.surveyed) if options.surveyed else []
    return PolygonMaterial(images, layers, surveyed=surveyed)
