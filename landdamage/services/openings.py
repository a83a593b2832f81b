"""Open a region's books with a file of earlier polygons: look at it as often as needed, then book it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import shapely
from shapely.geometry.base import BaseGeometry

from landdamage.accounting.planar import geometries, multipolygon
from landdamage.accounting.surveyed import Extent
from landdamage.interchange.outlines import ground_of, read_outlines
from landdamage.interchange.read import Choices, Opening, read_opening
from landdamage.models import Edition, MonitoredArea
from landdamage.services.editions import opening_import
from minegis import units
from minegis.access.models import User
from minegis.access.permissions import Action, require
from minegis.access.querysets import region_prefix
from minegis.errors import Finding, MineGISError
from minegis.registry.models import Mine, Region


@dataclass(frozen=True, slots=True)
class Survey:
    """What the delivery covers, as far as the importer says.

    Attributes:
        extent: ``whole``: all monitored ground was looked at, ground without polygon bears no damage. ``layer``: so
            was the ground of a layer. ``unknown``: nobody knows. Empty: not answered, which is no answer.
        path: the file that holds the layer; None is the delivery itself.
        name: its owner's name for it.
        layer: name of the layer.
    """

    extent: Extent | str = ""
    path: Path | None = None
    name: str = ""
    layer: str = ""


@dataclass(frozen=True)
class CheckedOpening:
    """A file as it was read, and what it covers.

    ``covered`` is the surveyed ground of the layer, EPSG:4490; ``rest_cm2`` the monitored ground without a polygon that
    the answer is about.
    """

    opening: Opening
    extent: Extent | str
    covered: BaseGeometry | None = None
    rest_cm2: int | None = None

    @property
    def findings(self) -> list[Finding]:
        """Every fault of the file and of the answer, and what the answer means for later years."""
        return self.opening.findings

    @property
    def usable(self) -> bool:
        """It can be booked."""
        return self.opening.frame is not None and not any(one.severity == "error" for one in self.findings)

    def as_dict(self) -> dict[str, Any]:
        """The report, ready for JSON."""
        coverage = {"extent": self.extent, "rest_cm2": self.rest_cm2}
        return {**self.opening.as_dict(), "usable": self.usable, "coverage": coverage}


def region_of(user: User, code: str) -> Region:
    """The present version of a region that the user may see.

    Raises:
        MineGISError: E-API-04, there is none.
    """
    region = Region.objects.visible_to(user).filter(code=code, valid_to__isnull=True).first()
    if region is None:
        raise MineGISError("E-API-04")
    return region


def opening_check(
    *, path: Path, name: str, region: Region, choices: Choices, survey: Survey, user: User
) -> CheckedOpening:
    """Read the file and say everything that is wrong with it, and what it means; nothing is stored.

    Raises:
        ForbiddenError: the user may not build editions here.
    """
    require(user, Action.BUILD_EDITION, region)
    within = shapely.from_wkb(bytes(region.geom.wkb))
    opening = read_opening(path, name=name, choices=choices, monitored=within)
    findings, covered = list(opening.findings), None
    if survey.extent not in ("whole", "layer", "unknown"):
        findings.append(Finding("E-VEC-19", "coverage"))
        return CheckedOpening(dataclasses.replace(opening, findings=findings), survey.extent)
    if survey.extent == "layer":
        layer = read_outlines(
            survey.path or path, name=survey.name or name, layer=survey.layer, crs=choices.crs,
            encoding=choices.encoding, repair=choices.repair, monitored=within,
        )  # fmt: skip
        findings += [dataclasses.replace(one, field=f"coverage {one.field}".strip()) for one in layer.findings]
        covered = None if layer.frame is None else ground_of(layer.frame)
    rest = None
    if opening.frame is not None and (survey.extent != "layer" or covered is not None):
        rest = _rest_cm2(region, opening, covered)
        values = {"value": units.to_hm2(rest)}
        findings.append(Finding("E-VEC-20" if survey.extent == "unknown" else "E-VEC-21", "coverage", values))
    return CheckedOpening(dataclasses.replace(opening, findings=findings), survey.extent, covered, rest)


def opening_book(*, checked: CheckedOpening, region: Region, year: int, user: User, change_note: str = "") -> Edition:
    """Book what was read as the region's first edition, whose account is queued.

    Raises:
        ForbiddenError: the user may not build editions here.
        MineGISError: the first error of the file or of the answers; what ``opening_import`` refuses.
    """
    opening = checked.opening
    fault = next((finding for finding in checked.findings if finding.severity == "error"), None)
    if fault is not None:
        raise MineGISError(fault.code, **fault.values)
    assert opening.frame is not None  # else an error would stand in the findings
    return opening_import(
        region=region,
        year=year,
        frame=opening.frame,
        extent=checked.extent,  # type: ignore[arg-type]  # another answer is an error
        covered=checked.covered,
        left_out=opening.left_out,
        change_note=change_note,
        user=user,
    )


def _rest_cm2(region: Region, opening: Opening, covered: BaseGeometry | None) -> int:
    """Monitored, covered ground that no polygon tells about, cm²."""
    assert opening.frame is not None
    zones = Mine.objects.filter(region__code__startswith=region_prefix(region.code), influence_zone__isnull=False)
    area = MonitoredArea.objects.filter(region=region).order_by("-version").first()
    grounds = [*zones.values_list("influence_zone", flat=True), *([area.extra] if area and area.extra else [])]
    if not grounds:
        return 0
    ground = shapely.union_all(shapely.make_valid([shapely.from_wkb(bytes(one.wkb)) for one in grounds]))
    if covered is not None:
        ground = shapely.intersection(ground, covered)
    told = geometries([*opening.frame.geometry, *([opening.left_out] if opening.left_out is not None else [])])
    shapely.prepare(ground)
    told = told[shapely.intersects(ground, told)]
    return units.area_cm2(multipolygon(shapely.difference(ground, shapely.union_all(told))))
