"""OGC API - Features, Part 1: core, GeoJSON and OpenAPI 3.0, read only, each reader with their own rights.

QGIS and GDAL connect with ``Authorization: Token ...`` (see docs/interchange.md). Coordinates are CRS84, to which
CGCS2000 is relabelled. Lists are streamed and paged by ``limit`` and ``offset``.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from typing import Any, Final, NoReturn
from urllib.parse import urlencode

from django.core.exceptions import ValidationError as DjangoValidationError
from django.http import Http404, HttpResponse, StreamingHttpResponse
from rest_framework.exceptions import ValidationError
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.request import Request
from rest_framework.views import APIView

from landdamage.api.features_description import describe
from landdamage.selectors import features as read
from landdamage.selectors.features import Collection
from minegis.access.permissions import signed_in

GEOJSON: Final = "application/geo+json"
OPENAPI: Final = "application/vnd.oai.openapi+json;version=3.0"
CRS84: Final = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
DEFAULT_LIMIT: Final = 1000
MAX_LIMIT: Final = 10_000
CONFORMANCE: Final = tuple(
    f"http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/{name}" for name in ("core", "oas30", "geojson")
)
_OWN: Final = frozenset({"bbox", "datetime", "limit", "offset", "f"})


class AnyAccept(BaseContentNegotiation):
    """There is one representation of everything; what a client would rather have does not matter."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        """The first."""
        return parsers[0]

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        """The first: problem bodies are JSON."""
        return renderers[0], renderers[0].media_type


class FeaturesView(APIView):
    """What the resources share: sign-in by token or session, one representation, answers nobody may keep."""

    content_negotiation_class = AnyAccept
    schema = None  # described by itself, at /api/features/api

    def root(self, request: Request) -> str:
        """Absolute address of the landing page, without slash."""
        return request.build_absolute_uri("/api/features")

    def collection(self, request: Request, name: str) -> Collection:
        """The collection of a name, as far as the reader has it."""
        for found in read.collections(signed_in(request.user)):
            if found.id == name:
                return found
        raise Http404

    def known_only(self, request: Request, *names: str) -> None:
        """Refuse parameters that the description does not name, as the standard asks."""
        unknown = set(request.query_params) - {"f", *names}
        if unknown or request.query_params.get("f", "json") not in ("json", "geojson"):
            _refuse(", ".join(sorted(unknown)) or "f", "unknown parameter")


class LandingView(FeaturesView):
    """The entrance."""

    def get(self, request: Request) -> HttpResponse:
        """Links to everything."""
        self.known_only(request)
        root = self.root(request)
        return _json(
            {
                "title": "MineGIS",
                "description": "矿山损毁土地台账 / Books of land damaged by mining",
                "links": [
                    _link(f"{root}/", "self"),
                    _link(f"{root}/api", "service-desc", OPENAPI),
                    _link(f"{root}/conformance", "conformance"),
                    _link(f"{root}/collections", "data"),
                ],
            }
        )


class ConformanceView(FeaturesView):
    """What of the standard is there."""

    def get(self, request: Request) -> HttpResponse:
        """The conformance classes."""
        self.known_only(request)
        return _json({"conformsTo": list(CONFORMANCE)})


class DescriptionView(FeaturesView):
    """The OpenAPI description of the reader's collections."""

    def get(self, request: Request) -> HttpResponse:
        """An OpenAPI 3.0 document."""
        self.known_only(request)
        found = read.collections(signed_in(request.user))
        return _json(describe(self.root(request), found, DEFAULT_LIMIT, MAX_LIMIT), OPENAPI)


class CollectionsView(FeaturesView):
    """The reader's collections."""

    def get(self, request: Request) -> HttpResponse:
        """All of them."""
        self.known_only(request)
        root = self.root(request)
        found = [_described(request, root, one) for one in read.collections(signed_in(request.user))]
        return _json({"links": [_link(f"{root}/collections", "self")], "collections": found})


class CollectionView(FeaturesView):
    """One collection."""

    def get(self, request: Request, name: str) -> HttpResponse:
        """Its titles, extent and links."""
        self.known_only(request)
        return _json(_described(request, self.root(request), self.collection(request, name)))


class ItemsView(FeaturesView):
    """The features of a collection, page by page."""

    def get(self, request: Request, name: str) -> StreamingHttpResponse:
        """A GeoJSON FeatureCollection with links to the pages beside it."""
        collection = self.collection(request, name)
        self.known_only(request, *_OWN, *collection.filters)
        given = request.query_params
        limit = min(_number(given.get("limit"), "limit", DEFAULT_LIMIT, 1), MAX_LIMIT)
        offset = _number(given.get("offset"), "offset", 0, 0)
        user = signed_in(request.user)
        filters = {key: given[key] for key in collection.filters if key in given}
        try:
            rows = read.features(user, collection, bbox=_bbox(given.get("bbox")), filters=filters)
        except (DjangoValidationError, ValueError):
            _refuse("filter", "value of the wrong shape")
        if not _in_time(given.get("datetime"), collection):
            rows = rows.none()
        matched = rows.count()
        returned = max(0, min(limit, matched - offset))
        page = f"{self.root(request)}/collections/{name}/items"
        links = [_link(_paged(page, given, limit, offset), "self", GEOJSON)]
        if offset + limit < matched:
            links.append(_link(_paged(page, given, limit, offset + limit), "next", GEOJSON))
        if offset > 0:
            links.append(_link(_paged(page, given, limit, max(0, offset - limit)), "prev", GEOJSON))
        head = {
            "type": "FeatureCollection",
            "timeStamp": dt.datetime.now(dt.UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
            "numberMatched": matched,
            "numberReturned": returned,
            "links": links,
        }
        texts = read.as_geojson(user, collection, rows[offset : offset + limit])
        return _private(StreamingHttpResponse(_stream(head, texts), content_type=GEOJSON))


class ItemView(FeaturesView):
    """One feature."""

    def get(self, request: Request, name: str, feature_id: str) -> HttpResponse:
        """The feature with links to itself and its collection."""
        self.known_only(request)
        collection, user = self.collection(request, name), signed_in(request.user)
        try:
            rows = read.features(user, collection, feature_id=feature_id)[:1]
            text = next(read.as_geojson(user, collection, rows), None)
        except (DjangoValidationError, ValueError):
            raise Http404 from None
        if text is None:
            raise Http404
        base = f"{self.root(request)}/collections/{name}"
        links = [_link(f"{base}/items/{feature_id}", "self", GEOJSON), _link(base, "collection")]
        return _private(HttpResponse(f'{text[:-1]}, "links": {json.dumps(links)}}}', content_type=GEOJSON))


def _stream(head: dict[str, Any], texts: Iterator[str]) -> Iterator[str]:
    yield json.dumps(head, ensure_ascii=False)[:-1] + ', "features": ['
    for number, text in enumerate(texts):
        yield f",\n{text}" if number else text
    yield "]}"


def _described(request: Request, root: str, collection: Collection) -> dict[str, Any]:
    box = read.extent(signed_in(request.user), collection)
    span = read.temporal(collection)
    extent: dict[str, Any] = {}
    if box is not None:
        extent["spatial"] = {"bbox": [list(box)], "crs": CRS84}
    if span is not None:
        interval = [f"{span[0]}T00:00:00Z", f"{span[1]}T23:59:59Z"]
        extent["temporal"] = {"interval": [interval], "trs": "http://www.opengis.net/def/uom/ISO-8601/0/Gregorian"}
    base = f"{root}/collections/{collection.id}"
    return {
        "id": collection.id,
        "title": f"{collection.title_zh} / {collection.title_en}",
        "itemType": "feature",
        "crs": [CRS84],
        "extent": extent,
        "links": [_link(base, "self"), _link(f"{base}/items", "items", GEOJSON)],
    }


def _link(href: str, rel: str, kind: str = "application/json") -> dict[str, str]:
    return {"href": href, "rel": rel, "type": kind}


def _json(body: Any, kind: str = "application/json") -> HttpResponse:
    return _private(HttpResponse(json.dumps(body, ensure_ascii=False), content_type=kind))


def _private(response: Any) -> Any:
    response["Cache-Control"] = "private, no-store"
    return response


def _paged(page: str, given: Any, limit: int, offset: int) -> str:
    kept = {key: given[key] for key in given if key not in ("limit", "offset")}
    return f"{page}?{urlencode({**kept, 'limit': limit, 'offset': offset})}"


def _refuse(name: str, reason: str) -> NoReturn:
    raise ValidationError({name: [reason]})


def _number(text: str | None, name: str, default: int, least: int) -> int:
    if text is None:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) < 10) or int(text) < least:
        _refuse(name, f"a whole number from {least}")
    return int(text)


def _bbox(text: str | None) -> tuple[float, float, float, float] | None:
    if text is None:
        return None
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        values = []
    if len(values) == 6:  # heights are of no concern
        values = [*values[:2], *values[3:5]]
    if len(values) != 4 or not all(abs(value) <= 360 for value in values) or values[1] > values[3]:
        _refuse("bbox", "west,south,east,north in degrees")
    west, south, east, north = values
    if west > east:
        _refuse("bbox", "may not cross the 180th meridian")
    return west, south, east, north


def _in_time(text: str | None, collection: Collection) -> bool:
    """Whether the year of a collection meets ``datetime``: an instant or an interval with ``..`` for an open end."""
    if text is None:
        return True
    ends = text.split("/")
    if len(ends) > 2 or (len(ends) == 1 and ends[0] in ("", "..")):
        _refuse("datetime", "an instant or an interval of RFC 3339")
    first, last = (_day(ends[0], dt.date.min), _day(ends[-1], dt.date.max))
    span = read.temporal(collection)
    return span is None or (first <= span[1] and last >= span[0])


def _day(text: str, open_end: dt.date) -> dt.date:
    if text in ("", ".."):
        return open_end
    try:
        return dt.datetime.fromisoformat(text).date()
    except ValueError:
        _refuse("datetime", "an instant or an interval of RFC 3339")
