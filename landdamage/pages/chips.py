"""Before and after: the same ground cut from last year's and this year's image, with the outline drawn on it."""

from __future__ import annotations

import hashlib

from django.contrib.gis.geos import GEOSGeometry
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_GET

from landdamage.models import ChangePiece
from landdamage.selectors.chips import Pair, outline_chip, piece_scenes
from landdamage.taxonomy import OUTLINE_OF_FLOW
from minegis.access.permissions import Action, require
from minegis.access.requests import PageRequest

SIZES = (256, 384, 512)
WHEN = ("before", "after")


@require_GET
def chip(request: PageRequest, piece_id: int, when: str) -> HttpResponse:
    """A change as PNG of ``?size=`` 256, 384 or 512 pixels; 404 where no image shows the place."""
    pieces = ChangePiece.objects.visible_to(request.user).select_related("edition__region")
    piece = get_object_or_404(pieces, pk=piece_id)
    require(request.user, Action.READ_IMAGE, piece.edition.region)
    outline = OUTLINE_OF_FLOW["undecided" if piece.kind == ChangePiece.Kind.NEW else "pending"]
    return chip_answer(request, piece.geom, piece_scenes(piece, request.user), when, outline.colour)


def chip_answer(request: PageRequest, outline: GEOSGeometry, pair: Pair, when: str, colour: str) -> HttpResponse:
    """One of two images with an outline in a colour drawn in; 404 where there is none."""
    scene = dict(zip(WHEN, pair, strict=True)).get(when)
    if scene is None:
        raise Http404
    asked = request.GET.get("size", "")
    size = int(asked) if asked.isdecimal() and int(asked) in SIZES else SIZES[1]
    images = " ".join(one.cog_sha256 for one in pair if one)
    shape = hashlib.sha256(bytes(outline.wkb)).hexdigest()
    tag = hashlib.sha256(f"{when} {images} {shape} {colour} {size}".encode()).hexdigest()[:24]
    if request.headers.get("If-None-Match") == f'"{tag}"':
        return HttpResponse(status=304)
    body = outline_chip(outline, scene, pair, size, colour)
    if body is None:
        raise Http404
    response = HttpResponse(body, content_type="image/png")
    response["Cache-Control"] = "private, max-age=86400"  # of its reader alone: shared caches must not keep it
    response["ETag"] = f'"{tag}"'
    return response
