"""The waters of the map: imported per region, ended or removed; water that meets them is no mine water."""

from __future__ import annotations

import hashlib
from datetime import date
from pathlib import Path
from typing import Any

import geopandas as gpd
import shapely
from django.contrib.gis.geos import GEOSGeometry
from django.db import transaction

from landdamage.interchange.hydrography import read_hydrography
from landdamage.interchange.outlines import Outlines
from landdamage.interchange.read import Choices
from landdamage.models import Hydrography
from minegis.access.models import User
from minegis.access.permissions import Action, require
from minegis.errors import MineGISError
from minegis.registry.models import SRID, Region
from minegis.units import GEOD, areas_cm2

AT_ONCE = 2000


def hydrography_check(
    *, path: Path, name: str, region: Region, choices: Choices, user: User, kind: str = ""
) -> Outlines:
    """Read a file of waters and say everything that is wrong with it; nothing is stored.

    Raises:
        ForbiddenError: the user may not keep the waters of this region.
    """
    require(user, Action.EDIT_HYDROGRAPHY, region)
    within = shapely.from_wkb(bytes(region.geom.wkb))
    return read_hydrography(path, name=name, choices=choices, kind=kind, monitored=within)


@transaction.atomic
def hydrography_import(
    *,
    region: Region,
    frame: gpd.GeoDataFrame,
    source: str,
    sha256: str,
    user: User | None,
    valid_from: date | None = None,
    valid_to: date | None = None,
    replaces: bool = False,
) -> int:
    """Take waters over. Accounts of later computations use those that hold on 31 December of their year.

    Args:
        region: whose waters; those of a province serve its prefectures too.
        frame: EPSG:4490; geometry, kind, name, as ``read_hydrography`` gives them.
        source: what they come from, e.g. the map's name and year.
        sha256: of the delivered file.
        user: a reviewer or manager of the region; None is the platform itself.
        valid_from: first day they hold; None for always.
        valid_to: first day they hold no more.
        replaces: end on ``valid_from`` what the region has had so far.

    Returns:
        Number of waters.

    Raises:
        ForbiddenError: the user may not keep the waters of this region.
        MineGISError: E-GND-01 the file is here already, E-GND-02 it replaces without a day, E-GND-03 it ends before
            it begins.
    """
    if user is not None:
        require(user, Action.EDIT_HYDROGRAPHY, region)
    Region.objects.select_for_update().get(pk=region.pk)
    if valid_from and valid_to and valid_to < valid_from:
        raise MineGISError("E-GND-03", value=valid_to.isoformat())
    refuse_known(region, sha256)
    if replaces:
        if valid_from is None:
            raise MineGISError("E-GND-02")
        present = Hydrography.objects.filter(region=region)
        later = present.filter(valid_from__gte=valid_from).first()
        if later is not None:
            raise MineGISError("E-GND-03", value=valid_from.isoformat())
        (present.filter(valid_to__isnull=True) | present.filter(valid_to__gt=valid_from)).update(valid_to=valid_from)
    Hydrography.objects.bulk_create(
        (
            Hydrography(
                region=region,
                kind=row.kind,
                name=row.name_,
                geom=GEOSGeometry(memoryview(shapely.to_wkb(row.geometry)), srid=SRID),
                source=source[:200],
                source_sha256=sha256,
                valid_from=valid_from,
                valid_to=valid_to,
                created_by=user,
            )
            for row in frame.rename(columns={"name": "name_"}).itertuples()
        ),
        batch_size=AT_ONCE,
    )
    return len(frame)


def refuse_known(region: Region, sha256: str) -> None:
    """Raise E-GND-01 for a file whose waters the region has already."""
    known = Hydrography.objects.filter(region=region, source_sha256=sha256).first()
    if known is not None:
        raise MineGISError("E-GND-01", value=known.source)


@transaction.atomic
def hydrography_end(*, hydrography: Hydrography, valid_to: date | None, user: User) -> Hydrography:
    """Say from which day on a water holds no more; None takes that back.

    Raises:
        ForbiddenError: the user may not keep the waters of its region.
        MineGISError: E-GND-03, it would end before it begins.
    """
    row = Hydrography.objects.select_for_update(of=("self",)).select_related("region").get(pk=hydrography.pk)
    require(user, Action.EDIT_HYDROGRAPHY, row.region)
    if valid_to is not None and row.valid_from is not None and valid_to < row.valid_from:
        raise MineGISError("E-GND-03", value=valid_to.isoformat())
    row.valid_to = valid_to
    row.save(update_fields=["valid_to"])
    return row


@transaction.atomic
def hydrography_remove(*, hydrography: Hydrography, user: User) -> None:
    """Remove a water that was imported by mistake; editions keep those they were computed with.

    Raises:
        ForbiddenError: the user may not keep the waters of its region.
    """
    require(user, Action.EDIT_HYDROGRAPHY, hydrography.region)
    hydrography.delete()


@transaction.atomic
def delivery_remove(*, region: Region, sha256: str, user: User) -> int:
    """Remove all waters of a file that was imported by mistake; editions keep those they were computed with.

    Returns:
        Number of waters removed.

    Raises:
        ForbiddenError: the user may not keep the waters of this region.
    """
    require(user, Action.EDIT_HYDROGRAPHY, region)
    count, _ = Hydrography.objects.filter(region=region, source_sha256=sha256).delete()
    return count


def measured(frame: gpd.GeoDataFrame) -> list[dict[str, Any]]:
    """What a file of waters holds per kind: kind, rows, area_cm2 of outlines, length_m of courses (on the ellipsoid).

    Args:
        frame: EPSG:4490; geometry and kind, as ``read_hydrography`` gives them.
    """
    found = []
    for kind, rows in frame.groupby("kind"):
        shapes = rows.geometry.to_numpy()
        areas = shapely.get_dimensions(shapes) == 2
        found.append(
            {
                "kind": kind,
                "rows": len(rows),
                "area_cm2": int(areas_cm2(shapes[areas]).sum()),
                "length_m": sum(GEOD.geometry_length(shape) for shape in shapes[~areas]),
            }
        )
    return found


def file_sha256(path: Path) -> str:
    """The identity of a delivered file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
