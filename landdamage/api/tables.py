"""The report's tables over HTTP: the same printed values as on the pages, in the workbook and in the document."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from landdamage.reports.tables import build
from landdamage.selectors.editions import edition_data, editions_visible
from minegis.access.permissions import signed_in


class TableColumnSerializer(serializers.Serializer[Any]):
    """A column; ``key`` never changes, ``head`` is what is printed."""

    key = serializers.CharField()
    head = serializers.CharField()
    unit = serializers.CharField()


class TableRowSerializer(serializers.Serializer[Any]):
    """A row: what it is about, ``part``, ``subtotal`` or ``total``, and its printed cells."""

    key = serializers.CharField()
    level = serializers.CharField()
    cells = serializers.ListField(child=serializers.CharField())


class TableSerializer(serializers.Serializer[Any]):
    """A table as it is printed."""

    code = serializers.CharField()
    title = serializers.CharField()
    columns = TableColumnSerializer(many=True)
    rows = TableRowSerializer(many=True)
    notes = serializers.ListField(child=serializers.CharField())


class TablesView(APIView):
    """The tables T1-T9 of an edition the user may see."""

    @extend_schema(
        parameters=[OpenApiParameter("lang", OpenApiTypes.STR, enum=["zh", "en"], description="language of the texts")],
        responses=TableSerializer(many=True),
    )
    def get(self, request: Request, edition_id: UUID) -> Response:
        """Every table, closed so that printed parts add up to printed totals."""
        language = request.query_params.get("lang", "zh")
        if language not in ("zh", "en"):
            raise ValidationError({"lang": ["zh or en"]})
        user = signed_in(request.user)
        edition = get_object_or_404(editions_visible(user), pk=edition_id)
        tables = build(edition_data(edition, user, outlines=False), language)  # type: ignore[arg-type]
        return Response(
            [
                {
                    "code": table.code,
                    "title": table.title,
                    "columns": [
                        {"key": column.key, "head": head, "unit": column.unit}
                        for column, head in zip(table.columns, table.heads, strict=True)
                    ],
                    "rows": [
                        {"key": row.key, "level": row.level, "cells": [cell.text for cell in row.cells]}
                        for row in table.rows
                    ],
                    "notes": list(table.notes),
                }
                for table in tables.values()
            ]
        )
