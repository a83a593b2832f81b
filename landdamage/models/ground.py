"""What people say of the ground itself: the waters of the map, and whose ground a place is against the general rule."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.contrib.gis.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from landdamage.models.books import BooksQuerySet
from minegis.registry.models import SRID, Mine, Region


class MineGroundQuerySet(BooksQuerySet):
    """What belongs to a mine, for readers of the books in its region."""

    region_path = "mine__region__code"


class Hydrography(models.Model):
    """A river, lake or reservoir of the map, as an area or as a line: water that meets it is no mine water."""

    class Kind(models.TextChoices):
        """What it is."""

        RIVER = "river", _("River")
        LAKE = "lake", _("Lake")
        RESERVOIR = "reservoir", _("Reservoir")

    hydrography_id = models.BigAutoField(primary_key=True)
    region = models.ForeignKey(Region, models.PROTECT, related_name="hydrography", verbose_name=_("region"))
    kind = models.CharField(_("kind"), max_length=9, choices=Kind.choices)
    name = models.CharField(_("name"), max_length=80, blank=True)
    geom = models.GeometryField(_("outline or course"), srid=SRID)
    source = models.CharField(_("source"), max_length=200)
    source_sha256 = models.CharField(_("SHA-256 of the delivery"), max_length=64)
    valid_from = models.DateField(_("valid from"), null=True, blank=True)
    valid_to = models.DateField(_("valid to"), null=True, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("imported by")
    )
    created_at = models.DateTimeField(_("imported"), auto_now_add=True)

    objects = BooksQuerySet.as_manager()

    class Meta:
        verbose_name = _("water of the map")
        verbose_name_plural = _("hydrography")
        ordering = ["hydrography_id"]
        indexes = [models.Index(fields=["region", "source_sha256"])]
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=["river", "lake", "reservoir"]), name="hydrography_kind_known"),
            models.CheckConstraint(
                condition=Q(valid_from__isnull=True) | Q(valid_to__isnull=True) | Q(valid_to__gte=F("valid_from")),
                name="hydrography_ends_after_it_begins",
            ),
        ]

    def __str__(self) -> str:
        return self.name or f"{self.get_kind_display()} {self.pk}"


class TerritoryOverride(models.Model):
    """Ground that is some mine's because a person said so, whatever licences and zones say.

    Taken back, never deleted: editions name the overrides they were computed with.
    """

    override_id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    mine = models.ForeignKey(Mine, models.PROTECT, related_name="territory_overrides", verbose_name=_("mine"))
    geom = models.MultiPolygonField(_("outline"), srid=SRID)
    reason = models.TextField(_("reason"))
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("decided by")
    )
    created_at = models.DateTimeField(_("decided"), auto_now_add=True)
    withdrawn_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("withdrawn by"),
    )
    withdrawn_at = models.DateTimeField(_("withdrawn"), null=True, blank=True)
    withdrawn_reason = models.TextField(_("reason of the withdrawal"), blank=True)

    objects = MineGroundQuerySet.as_manager()

    class Meta:
        verbose_name = _("territory by decision")
        verbose_name_plural = _("territories by decision")
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(condition=~Q(reason=""), name="territory_override_gives_its_reason"),
            models.CheckConstraint(
                condition=Q(withdrawn_at__isnull=True, withdrawn_by__isnull=True, withdrawn_reason="")
                | (Q(withdrawn_at__isnull=False, withdrawn_by__isnull=False) & ~Q(withdrawn_reason="")),
                name="territory_override_withdrawn_by_somebody",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.mine} {self.override_id}"
