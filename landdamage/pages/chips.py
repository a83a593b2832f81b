"""Before and after: the same ground cut from last year's and this year's image, with the change drawn on it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np
import shapely
from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_GET

from landdamage.imagery.chip import chip, chip_window
from landdamage.imagery.radiometry import Stretch
from landdamage.imagery.thumbnail import display_indexes
from landdamage.models import ChangePiece, Scene
from landdamage.services.files import file_path
from landdamage.taxonomy import OUTLINE_OF_FLOW
from minegis.access.permissions import Action, allowed, require
from minegis.access.requests import PageRequest

SIZES = (256, 384, 512)


def scenes_before(piece: ChangePiece) -> QuerySet[Scene]:
    """Images of earlier years that show the place, the newest first."""
    return _showing(piece).filter(acquired_on__year__lt=piece.edition.year)


def scenes_after(piece: ChangePiece) -> QuerySet[Scene]:
    """Images of the edition's year that show the place, the newest first."""
    return _showing(piece).filter(acquired_on__year=piece.edition.year)


def _showing(piece: ChangePiece) -> QuerySet[Scene]:
    shown = Scene.objects.filter(state__in=Scene.USABLE, footprint__intersects=piece.geom).exclude(stretch={})
    return shown.order_by("-acquired_on", "-uploaded_at")


def chip_scene(request: PageRequest, piece: ChangePiece, when: str) -> Scene | None:
    """The scene of a chip, if the person may see images there: the one its cells name, else the newest."""
    found: Iterable[Scene] = scenes_before(piece) if when == "before" else scenes_after(piece)
    if when == "after":
        named = piece.cells.exclude(scene=None).order_by("-area_cm2").values_list("scene", flat=True).first()
        found = sorted(found, key=lambda scene: scene.pk != named)
    return next((s for s in found if allowed(request.user, Action.READ_IMAGE, s.region)), None)


@require_GET
def piece_chip(request: PageRequest, piece_id: int, when: str) -> HttpResponse:
    """A PNG of ``?size=`` 256, 384 or 512 pixels; 404 where no image shows the place."""
    pieces = ChangePiece.objects.visible_to(request.user).select_related("edition__region")
    piece = get_object_or_404(pieces, pk=piece_id)
    require(request.user, Action.READ_IMAGE, piece.edition.region)
    shown = {name: chip_scene(request, piece, name) for name in ("before", "after")}
    scene = shown[when]
    asked = request.GET.get("size", "")
    size = int(asked) if asked.isdecimal() and int(asked) in SIZES else SIZES[1]
    if scene is None:
        raise Http404
    gsd = max(s.gsd_m or 0.0 for s in shown.values() if s is not None) or 2.0
    tag = hashlib.sha256(f"{scene.cog_sha256} {piece.geometry_sha256} {size} {gsd}".encode()).hexdigest()[:24]
    if request.headers.get("If-None-Match") == f'"{tag}"':
        return HttpResponse(status=304)
    geometry = shapely.from_wkb(bytes(piece.geom.wkb))
    window, epsg = chip_window(geometry, gsd)
    indexes = display_indexes(scene.bands, range(1, len(scene.bands) + 1))
    low, high = (np.asarray(scene.stretch[key], float)[[i - 1 for i in indexes]] for key in ("low", "high"))
    outline = OUTLINE_OF_FLOW["undecided" if piece.kind == ChangePiece.Kind.NEW else "pending"]
    body = chip(
        file_path(scene.cog_sha256), geometry, stretch=Stretch(low, high), indexes=indexes, window=window, epsg=epsg,
        size=size, colour=outline.colour,
    )  # fmt: skip
    response = HttpResponse(body, content_type="image/png")
    response["Cache-Control"] = "private, max-age=86400"  # of its reader alone: shared caches must not keep it
    response["ETag"] = f'"{tag}"'
    return response
