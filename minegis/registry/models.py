"""Regions and mines (geometries in EPSG:4490)."""

from __future__ import annotations

import uuid
from typing import ClassVar
from urllib.parse import urlsplit

from django.contrib.gis.db import models
from django.core.validators import RegexValidator
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from minegis.access.permissions import Action, readers
from minegis.access.querysets import RegionScopedQuerySet

SRID = 4490


class RegionQuerySet(RegionScopedQuerySet):
    """Regions, scoped by their own code."""

    region_path: ClassVar[str] = "code"


class MineQuerySet(RegionScopedQuerySet):
    """Mines of a region, for the roles that may read the register."""

    reader_roles: ClassVar[frozenset[str] | None] = readers(Action.READ_MINES)


class CameraQuerySet(RegionScopedQuerySet):
    """Cameras of a region, for the roles that may know of them."""

    reader_roles: ClassVar[frozenset[str] | None] = readers(Action.READ_CAMERA)


class BilingualName(models.Model):
    """A Chinese name that must be there and an English one that may be."""

    name_zh = models.CharField(_("Chinese name"), max_length=80)
    name_en = models.CharField(_("English name"), max_length=120, blank=True)

    class Meta:
        abstract = True

    @property
    def name(self) -> str:
        """The name in the language of the request."""
        if (get_language() or "zh").startswith("zh"):
            return self.name_zh
        return self.name_en or self.name_zh

    def __str__(self) -> str:
        return self.name


class Region(BilingualName):
    """An administrative region by its GB/T 2260 code."""

    class Level(models.TextChoices):
        """Administrative levels."""

        PROVINCE = "province", _("Province")
        PREFECTURE = "prefecture", _("Prefecture")
        COUNTY = "county", _("County")
        TOWNSHIP = "township", _("Township")

    code = models.CharField(_("code"), max_length=9, validators=[RegexValidator(r"^\d{6}(\d{3})?$")])
    level = models.CharField(_("level"), max_length=10, choices=Level.choices)
    parent = models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, related_name="children", verbose_name=_("parent")
    )
    is_xpcc = models.BooleanField(_("reports to XPCC"), default=False)
    geom = models.MultiPolygonField(_("outline"), srid=SRID)
    valid_from = models.DateField(_("valid from"), null=True, blank=True)
    valid_to = models.DateField(_("valid to"), null=True, blank=True)

    objects = RegionQuerySet.as_manager()

    class Meta:
        verbose_name = _("region")
        verbose_name_plural = _("regions")
        ordering = ["code"]
        constraints = [
            models.UniqueConstraint(fields=["code", "valid_from"], nulls_distinct=False, name="region_version_once"),
            models.CheckConstraint(condition=models.Q(code__regex=r"^\d{6}(\d{3})?$"), name="region_code_shape"),
        ]


class Mine(BilingualName):
    """A mine of the register."""

    class MineralKind(models.TextChoices):
        """Kinds of mineral."""

        COAL = "coal", _("Coal")
        METAL = "metal", _("Metal")
        NON_METAL = "non_metal", _("Non-metal")
        GEOTHERMAL = "geothermal", _("Geothermal")
        MINERAL_WATER = "mineral_water", _("Mineral water")
        OTHER = "other", _("Other")

    class Method(models.TextChoices):
        """Mining methods."""

        OPEN_PIT = "open_pit", _("Open pit")
        UNDERGROUND = "underground", _("Underground")
        COMBINED = "combined", _("Combined")
        WELL = "well", _("Well")

    class Status(models.TextChoices):
        """Legal state of a mine."""

        ACTIVE = "active", _("Active")
        SUSPENDED = "suspended", _("Suspended")
        CLOSED = "closed", _("Closed")
        ABANDONED_LEGACY = "abandoned_legacy", _("Abandoned (legacy)")
        UNLICENSED = "unlicensed", _("Unlicensed")

    mine_id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    code = models.CharField(_("bureau code"), max_length=20, unique=True)
    licence_no = models.CharField(_("licence number"), max_length=40, null=True, blank=True, unique=True)
    licence_from = models.DateField(_("licence from"), null=True, blank=True)
    licence_to = models.DateField(_("licence to"), null=True, blank=True)
    licence_holder = models.CharField(_("licence holder"), max_length=120, blank=True)
    mineral_kind = models.CharField(_("mineral kind"), max_length=14, choices=MineralKind.choices)
    mineral_name = models.CharField(_("mineral"), max_length=40, blank=True)
    mining_method = models.CharField(_("mining method"), max_length=12, choices=Method.choices)
    status = models.CharField(_("status"), max_length=18, choices=Status.choices, default=Status.ACTIVE)
    boundary = models.MultiPolygonField(_("licence boundary"), srid=SRID, null=True, blank=True)
    influence_zone = models.MultiPolygonField(_("influence zone"), srid=SRID, null=True, blank=True)
    region = models.ForeignKey(Region, models.PROTECT, related_name="mines", verbose_name=_("region"))

    objects = MineQuerySet.as_manager()

    class Meta:
        verbose_name = _("mine")
        verbose_name_plural = _("mines")
        ordering = ["code"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(status="unlicensed") | models.Q(boundary__isnull=False),
                name="licensed_mine_has_boundary",
            )
        ]


class Camera(BilingualName):
    """A camera that watches a mine.

    ``stream_address`` may hold a password: it is read by the process that opens the stream and shown to nobody, not in
    the API, pages or logs. What they show is ``stream_host``.
    """

    camera_id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    code = models.CharField(_("code"), max_length=40, unique=True)
    mine = models.ForeignKey(
        Mine, models.PROTECT, null=True, blank=True, related_name="cameras", verbose_name=_("mine")
    )
    region = models.ForeignKey(Region, models.PROTECT, related_name="cameras", verbose_name=_("region"))
    location = models.PointField(_("location"), srid=SRID, null=True, blank=True)
    stream_address = models.CharField(_("stream address"), max_length=500, blank=True)
    # How its pictures were enhanced last; what the words mean is the enhancement's business.
    preset = models.JSONField(_("remembered parameters"), default=dict, blank=True)
    is_active = models.BooleanField(_("in use"), default=True)

    objects = CameraQuerySet.as_manager()

    class Meta:
        verbose_name = _("camera")
        verbose_name_plural = _("cameras")
        ordering = ["code"]
        constraints = [models.CheckConstraint(condition=~models.Q(code=""), name="camera_has_a_code")]

    @property
    def stream_host(self) -> str:
        """Scheme and host of the stream, without user, password and path; empty without a stream."""
        if not self.stream_address:
            return ""
        parts = urlsplit(self.stream_address)
        port = f":{parts.port}" if parts.port else ""
        return f"{parts.scheme}://{parts.hostname or ''}{port}"
