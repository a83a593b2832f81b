"""Open a region's books with a file of earlier polygons: look at it as often as needed, then book it."""

from __future__ import annotations

from pathlib import Path

import shapely

from landdamage.interchange.read import Choices, Opening, read_opening
from landdamage.models import Edition
from landdamage.services.editions import opening_import
from minegis.access.models import User
from minegis.access.permissions import Action, require
from minegis.errors import MineGISError
from minegis.registry.models import Region


def region_of(user: User, code: str) -> Region:
    """The present version of a region that the user may see.

    Raises:
        MineGISError: E-API-04, there is none.
    """
    region = Region.objects.visible_to(user).filter(code=code, valid_to__isnull=True).first()
    if region is None:
        raise MineGISError("E-API-04")
    return region


def opening_check(*, path: Path, name: str, region: Region, choices: Choices, user: User) -> Opening:
    """Read the file and say everything that is wrong with it; nothing is stored.

    Raises:
        ForbiddenError: the user may not build editions here.
    """
    require(user, Action.BUILD_EDITION, region)
    return read_opening(path, name=name, choices=choices, monitored=shapely.from_wkb(bytes(region.geom.wkb)))


def opening_book(*, opening: Opening, region: Region, year: int, user: User) -> Edition:
    """Book what was read as the region's first edition, whose account is queued.

    Raises:
        ForbiddenError: the user may not build editions here.
        MineGISError: the first error of the file; E-EDI-20, the year has an edition.
    """
    if opening.frame is None:
        fault = next(finding for finding in opening.findings if finding.severity == "error")
        raise MineGISError(fault.code, **fault.values)
    return opening_import(region=region, year=year, frame=opening.frame, user=user)
