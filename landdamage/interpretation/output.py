"""What a person takes away: the patches as GeoPackage or FlatGeobuf, the rasters as COGs, a table of areas."""

from __future__ import annotations

import shutil
import tempfile
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import rasterio.shutil

from landdamage.interpretation.patch_file import LAYER
from landdamage.interpretation.result import Interpretation
from landdamage.taxonomy import BY_ID, DAMAGE_KIND_BY_CODE, FOREGROUND_IDS, damage_kind
from minegis.errors import Language
from minegis.units import close_table

Results = Mapping[str, Interpretation]  # of each scene by its name

_HM2_UNIT_CM2 = 1_000_000  # 0.01 hm²
_MU_UNIT_CM2 = 2_000_000  # 0.1 mu is 2 000 000 / 3 cm², so areas are tripled first
_KINDS = tuple(DAMAGE_KIND_BY_CODE[code] for code in ("excavation", "occupation"))
_NO_DAMAGE = DAMAGE_KIND_BY_CODE["none"]
_MEMBERS = {
    kind.code: [c for c in FOREGROUND_IDS if damage_kind(BY_ID[c].code) == kind.code] for kind in (_NO_DAMAGE, *_KINDS)
}
_DAMAGED = [c for kind in _KINDS for c in _MEMBERS[kind.code]]
_HEADINGS = {"zh": ("类别", "面积(公顷)", "面积(亩)"), "en": ("Class", "Area (hm²)", "Area (mu)")}
_DAMAGE = {"zh": "损毁合计", "en": "Damage in all"}
_NOTE = {
    "zh": "水域的损毁归属须经审核,未计入损毁。",
    "en": "Water counts as damage only once its origin is reviewed; it is not included.",
}


def write_geopackage(results: Results, path: Path) -> None:
    """Write the patches, layer ``patches`` in EPSG:4490; the file appears under its name when it is complete.

    Args:
        results: of each scene by its name. With several every patch says in column ``scene`` where it comes from.
        path: the file; one that is there is replaced.
    """
    with _appearing(path) as partial:
        if len(results) == 1:
            shutil.copyfile(next(iter(results.values())).patch_file, partial)
            return
        import pyogrio

        for name, result in results.items():
            for batch in result.patch_batches():
                batch.insert(0, "scene", name)
                pyogrio.write_dataframe(
                    batch, partial, layer=LAYER, driver="GPKG", geometry_type="Polygon", append=partial.exists()
                )


def write_flatgeobuf(results: Results, path: Path) -> None:
    """Write what ``write_geopackage`` writes as FlatGeobuf, batch by batch."""
    import pyogrio

    with _appearing(path) as partial, tempfile.TemporaryDirectory(dir=path.parent, prefix=".minegis-") as folder:
        source = Path(folder) / "patches.gpkg"
        write_geopackage(results, source)
        with pyogrio.open_arrow(source, layer=LAYER, use_pyarrow=False) as (facts, batches):
            pyogrio.write_arrow(
                batches,
                partial,
                driver="FlatGeobuf",
                geometry_name=facts["geometry_name"] or "wkb_geometry",
                geometry_type="Polygon",
                crs=facts["crs"],
            )


WRITERS = {".gpkg": write_geopackage, ".fgb": write_flatgeobuf}  # by extension


def write_raster(raster: Path, path: Path) -> None:
    """Write a result raster as a COG with its palette, scale, tags and overviews; it appears when it is complete."""
    with _appearing(path) as partial:
        rasterio.shutil.copy(raster, partial, driver="COG", BLOCKSIZE=512, COMPRESS="DEFLATE", BIGTIFF="IF_SAFER")


@contextmanager
def _appearing(path: Path) -> Iterator[Path]:
    partial = path.with_name(f"{path.stem}.{uuid4().hex}.partial{path.suffix}")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def area_table(areas_cm2: Mapping[int, int], language: Language) -> str:
    """Areas per class and damage kind as text, in hm² (2 decimals) and mu (1 decimal).

    The damaged classes are closed: as displayed they add up to their kinds and to the displayed damage in all.

    Args:
        areas_cm2: area of each foreground class id in cm².
        language: ``zh`` or ``en``.
    """
    hectares = _displayed(areas_cm2, 1, _HM2_UNIT_CM2)
    mu = _displayed(areas_cm2, 3, _MU_UNIT_CM2)
    rows = [_HEADINGS[language]]

    def add(label: str, ids: Sequence[int]) -> None:
        hm2_cell, mu_cell = sum(hectares[c] for c in ids), sum(mu[c] for c in ids)
        rows.append((label, f"{hm2_cell / 100:,.2f}", f"{mu_cell / 10:,.1f}"))

    for kind in (_NO_DAMAGE, *_KINDS):
        ids = _MEMBERS[kind.code]
        if kind is not _NO_DAMAGE:
            add(kind.zh if language == "zh" else kind.en, ids)
        for c in ids:
            indent = "" if kind is _NO_DAMAGE else "  "
            add(indent + (BY_ID[c].zh if language == "zh" else BY_ID[c].en), [c])
    add(_DAMAGE[language], _DAMAGED)
    widths = [max(_width(row[k]) for row in rows) for k in range(3)]
    lines = [
        row[0]
        + " " * (widths[0] - _width(row[0]))
        + "".join(" " * (widths[k] - _width(row[k]) + 2) + row[k] for k in (1, 2))
        for row in rows
    ]
    rule = "-" * (sum(widths) + 4)
    return "\n".join([lines[0], rule, *lines[1:-1], rule, lines[-1], _NOTE[language]])


def _displayed(areas_cm2: Mapping[int, int], factor: int, unit: int) -> dict[int, int]:
    """Each class's area as an integer number of displayed units."""
    scaled = {c: areas_cm2.get(c, 0) * factor for c in FOREGROUND_IDS}
    shown = {c: close_table([scaled[c]], unit)[0] for c in _MEMBERS[_NO_DAMAGE.code]}
    return shown | dict(zip(_DAMAGED, close_table([scaled[c] for c in _DAMAGED], unit), strict=True))


def _width(text: str) -> int:
    """Columns on a terminal: Chinese characters take two."""
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)
