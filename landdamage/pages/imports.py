"""What the two import pages share: a sent file, the answers to what its report asked, and the report in words."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from django.core.files.uploadedfile import UploadedFile

from landdamage.interchange.read import SKIP, Choices
from landdamage.services.vector_files import refuse_large, seal, written
from minegis.access.permissions import Action, readers
from minegis.access.querysets import region_prefix
from minegis.access.requests import PageRequest
from minegis.errors import Finding, MineGISError
from minegis.registry.models import Region

ACCEPTED: Final = ".zip,.gpkg,.geojson,.json"
ENCODINGS: Final = (("utf-8", "UTF-8"), ("gbk", "GBK / GB 18030"))
MOST_TEXT: Final = 2000
COVERAGE: Final = "coverage"  # how findings about the layer of the surveyed ground begin
# Offered where a file has no coordinate system: degrees, then Gauss-Kruger zones of 3° with 6-digit eastings.
SYSTEMS: Final = (
    ("EPSG:4490", "CGCS2000"),
    ("EPSG:4326", "WGS 84"),
    *((f"EPSG:{4534 + (meridian - 75) // 3}", f"CGCS2000 GK {meridian}°E") for meridian in range(75, 97, 3)),
    *((f"EPSG:{4513 + zone - 25}", f"CGCS2000 GK zone {zone}") for zone in range(25, 33)),
)
ABOUT_THE_REST: Final = ("E-VEC-19", "E-VEC-20", "E-VEC-21")  # about the answer itself, not about that layer
LISTING_CODES: Final = ("E-VEC-11", "E-VEC-22")
_ANSWERS: Final = ("layer", "crs", "encoding", "column")
_ASKS: Final = {
    "E-VEC-12": "layer",
    "E-VEC-15": "crs",
    "E-CRS-03": "crs",
    "E-CRS-05": "crs",
    "E-VEC-02": "encoding",
    "E-VEC-05": "column",
    "E-VEC-10": "mapping",
    "E-VEC-11": "mapping",
    "E-VEC-22": "mapping",
    "E-VEC-03": "repair",
    "E-VEC-06": "clip",
}  # codes that an answer on the page settles


def regions_for(request: PageRequest, action: Action) -> list[Region]:
    """Regions for which the user may do something, without their outlines."""
    codes = request.user.region_codes(readers(action))
    if not codes:
        return []
    found = Region.objects.visible_to(request.user).defer("geom").filter(valid_to__isnull=True)
    whole = None in codes
    return [r for r in found if whole or any(r.code.startswith(region_prefix(str(code))) for code in codes)]


@dataclass(frozen=True)
class Sent:
    """What the form holds: the files where the readers can open them, and every answer so far."""

    path: Path
    name: str
    beside: Path | None
    beside_name: str
    choices: Choices
    said: dict[str, str]
    seal: str

    def sealed(self, shown: Any) -> str:
        """The number of a report that shows ``shown`` (anything JSON holds) of these very files."""
        return seal(shown, self.path, self.beside)

    @property
    def about(self) -> str:
        """The layer and the column that the answers about classes belong to."""
        return f"{self.choices.layer}/{self.choices.column}"


@contextmanager
def sent(request: PageRequest, *, questions: Sequence[str], meanings: Sequence[str]) -> Iterator[Sent]:
    """The form of an import page, its files in a folder that lasts as long as the block.

    Args:
        request: a multipart POST with ``file`` and perhaps ``coverage_file``, with ``class`` and ``meaning`` in pairs.
        questions: further fields of the page.
        meanings: what a class of the file may mean, besides ``skip`` and nothing.

    Raises:
        MineGISError: E-VEC-23 no file, E-VEC-16 too large, E-API-01 an unknown meaning or encoding.
    """
    file, beside = request.FILES.get("file"), request.FILES.get("coverage_file")
    if not isinstance(file, UploadedFile):
        raise MineGISError("E-VEC-23")
    if not isinstance(beside, UploadedFile):
        beside = None
    refuse_large(file, beside)
    said = {name: request.POST.get(name, "").strip()[:MOST_TEXT] for name in (*_ANSWERS, *questions)}
    mapping: dict[str, str] = {}
    if request.POST.get("about") == f"{said['layer']}/{said['column']}":  # else they are about another column's words
        pairs = zip(request.POST.getlist("class"), request.POST.getlist("meaning"), strict=False)
        mapping = {text: meaning for text, meaning in pairs if meaning}
    if not set(mapping.values()) <= {SKIP, *meanings} or said["encoding"] not in ("", *dict(ENCODINGS)):
        raise MineGISError("E-API-01")
    choices = Choices(
        layer=said["layer"], crs=said["crs"], encoding=said["encoding"], column=said["column"], mapping=mapping,
        repair=request.POST.get("repair") == "1", clip=request.POST.get("clip") == "1",
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        path = written(file, Path(folder) / "upload")
        side = written(beside, Path(folder) / "coverage") if beside else None
        yield Sent(
            path,
            file.name or "",
            side,
            (beside.name or "") if beside else "",
            choices,
            said,
            request.POST.get("seal", ""),
        )


def report(
    sent_: Sent, findings: Sequence[Finding], facts: dict[str, Any], *, usable: bool, names: Mapping[str, Any]
) -> dict[str, Any]:
    """What a template says about a file that was read: faults, what it holds, and which answers are open.

    Args:
        sent_: the file.
        findings: of its reading.
        facts: of its reading.
        usable: it can be imported.
        names: of the codes that a class may mean, in the language of the request.
    """
    about = [one for one in findings if not one.field.startswith(COVERAGE)]  # that layer has fields of its own
    asked = {_ASKS[one.code] for one in about if one.code in _ASKS}
    by_code = {one.code: one for one in about}
    layers = by_code["E-VEC-12"].values.get("layers", []) if "E-VEC-12" in by_code else []
    rows = by_code["E-VEC-02"].values.get("preview", []) if "E-VEC-02" in by_code else []
    order = {"error": 0, "warn": 1}
    return {
        "usable": usable,
        "name": sent_.name,
        "about": sent_.about,
        "findings": sorted((_worded(one, names) for one in findings), key=lambda one: order.get(one["severity"], 2)),
        "errors": sum(one.severity == "error" for one in findings),
        "facts": facts,
        "answers": sent_.choices,
        "asked": asked,
        "layers": layers,
        "raw_rows": rows,
        "encodings": ENCODINGS,
        "systems": SYSTEMS,
        "skip": SKIP,
    }


def _worded(finding: Finding, names: Mapping[str, Any]) -> dict[str, Any]:
    """A finding with the page's names for the codes it lists, and whether it is about the layer of the survey."""
    known = finding.values.get("known")
    if finding.code in LISTING_CODES and isinstance(known, str):
        worded = ", ".join(str(names.get(code, code)) for code in known.split(", "))
        finding = dataclasses.replace(finding, values={**finding.values, "known": worded})
    of_coverage = finding.field.startswith(COVERAGE) and finding.code not in ABOUT_THE_REST
    return {**finding.as_dict(), "of_coverage": of_coverage}
