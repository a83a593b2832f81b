"""Before and after: the same ground cut from last year's and this year's image, with the change drawn on it."""

from __future__ import annotations

import hashlib

from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_GET

from landdamage.models import ChangePiece
from landdamage.selectors.chips import piece_chip, piece_scenes
from landdamage.taxonomy import OUTLINE_OF_FLOW
from minegis.access.permissions import Action, require
from minegis.access.requests import PageRequest

SIZES = (256, 384, 512)
WHEN = ("before", "after")


@require_GET
def chip(request: PageRequest, piece_id: int, when: str) -> HttpResponse:
    """A PNG of ``?size=`` 256, 384 or 512 pixels; 404 where no image shows the place."""
    pieces = ChangePiece.objects.visible_to(request.user).select_related("edition__region")
    piece = get_object_or_404(pieces, pk=piece_id)
    require(request.user, Action.READ_IMAGE, piece.edition.region)
    pair = piece_scenes(piece, request.user)
    scene = dict(zip(WHEN, pair, strict=True)).get(when)
    if scene is None:
        raise Http404
    asked = request.GET.get("size", "")
    size = int(asked) if asked.isdecimal() and int(asked) in SIZES else SIZES[1]
    images = " ".join(one.cog_sha256 for one in pair if one)
    tag = hashlib.sha256(f"{when} {images} {piece.geometry_sha256} {size}".encode()).hexdigest()[:24]
    if request.headers.get("If-None-Match") == f'"{tag}"':
        return HttpResponse(status=304)
    outline = OUTLINE_OF_FLOW["undecided" if piece.kind == ChangePiece.Kind.NEW else "pending"]
    body = piece_chip(piece, scene, pair, size, outline.colour)
    if body is None:
        raise Http404
    response = HttpResponse(body, content_type="image/png")
    response["Cache-Control"] = "private, max-age=86400"  # of its reader alone: shared caches must not keep it
    response["ETag"] = f'"{tag}"'
    return response
