"""Filters of regions and mines."""

from __future__ import annotations

import django_filters
from django.db.models import Q, QuerySet

from minegis.access.querysets import region_prefix
from minegis.registry.models import Mine, Region


class RegionFilter(django_filters.FilterSet):
    """By level and by superior region."""

    parent = django_filters.CharFilter(field_name="parent__code", label="Code of the superior region")

    class Meta:
        model = Region
        fields = ["level", "parent"]


class MineFilter(django_filters.FilterSet):
    """By kind, method, status, region (subordinate ones included) and name."""

    region = django_filters.CharFilter(method="in_region", label="Code of a region; subordinate regions are included")
    search = django_filters.CharFilter(method="by_name", label="Part of the code or of a name")

    class Meta:
        model = Mine
        fields = ["mineral_kind", "mining_method", "status", "region", "search"]

    def in_region(self, queryset: QuerySet[Mine], name: str, value: str) -> QuerySet[Mine]:
        """Mines of a region and of all below it."""
        return queryset.filter(region__code__startswith=region_prefix(value))

    def by_name(self, queryset: QuerySet[Mine], name: str, value: str) -> QuerySet[Mine]:
        """Mines whose code or name holds the text."""
        return queryset.filter(Q(code__icontains=value) | Q(name_zh__icontains=value) | Q(name_en__icontains=value))
