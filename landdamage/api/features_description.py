"""The OpenAPI 3.0 description of OGC API - Features; clients read page sizes and filters from it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from landdamage.selectors.features import Collection


def describe(root: str, collections: Sequence[Collection], default_limit: int, max_limit: int) -> dict[str, Any]:
    """An OpenAPI document as plain data.

    Args:
        root: absolute address of the landing page, without slash.
        collections: those of the reader.
        default_limit, max_limit: features of a page.
    """
    paths: dict[str, Any] = {
        "/": _get("Landing page"),
        "/conformance": _get("Conformance classes"),
        "/collections": _get("Collections"),
    }
    limit = {"type": "integer", "minimum": 1, "maximum": max_limit, "default": default_limit}
    numbers = {"type": "array", "minItems": 4, "maxItems": 6, "items": {"type": "number"}}
    shared = [
        {**_parameter("bbox", numbers), "style": "form", "explode": False},
        _parameter("datetime", {"type": "string"}),
        _parameter("limit", limit),
        _parameter("offset", {"type": "integer", "minimum": 0, "default": 0}),
    ]
    for one in collections:
        filters = [_parameter(name, {"type": "string"}) for name in one.filters]
        paths[f"/collections/{one.id}"] = _get(one.title_en)
        paths[f"/collections/{one.id}/items"] = _get(one.title_en, [*shared, *filters], "application/geo+json")
        place = {**_parameter("featureId", {"type": "string"}), "in": "path", "required": True}
        paths[f"/collections/{one.id}/items/{{featureId}}"] = _get(one.title_en, [place], "application/geo+json")
    return {
        "openapi": "3.0.3",
        "info": {"title": "MineGIS features", "version": "1.0"},
        "servers": [{"url": root}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "apiKey", "in": "header", "name": "Authorization"}},
        },
    }


def _parameter(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "schema": schema}


def _get(title: str, parameters: list[dict[str, Any]] | None = None, kind: str = "application/json") -> dict[str, Any]:
    answers = {
        "200": {"description": title, "content": {kind: {"schema": {"type": "object"}}}},
        "401": {"description": "No token", "content": {"application/problem+json": {"schema": {"type": "object"}}}},
    }
    return {"get": {"summary": title, "parameters": parameters or [], "responses": answers}}
