"""A satellite or aerial image as received, checked and prepared."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.conf import settings
from django.contrib.gis.db import models
from django.utils.translation import gettext_lazy as _

from minegis.access.models import Role
from minegis.access.querysets import RegionScopedQuerySet
from minegis.jobs.models import Job
from minegis.registry.models import SRID, Region
from minegis.uploads.models import Upload


class SceneQuerySet(RegionScopedQuerySet):
    """Scenes: a field uploader sees their own, everybody else those of their regions."""

    owner_path: ClassVar[str | None] = "uploader"
    reader_roles: ClassVar[frozenset[str] | None] = frozenset(
        set(Role.values) - {Role.UPLOADER.value, Role.AUDITOR.value}
    )


class Scene(models.Model):
    """One image: identity by content hash, metadata from the file, findings of every check."""

    class State(models.TextChoices):
        """Where the scene stands."""

        CHECKING = "checking", _("Checking")
        READY = "ready", _("Ready")
        RESTRICTED = "restricted", _("Usable with care")
        REJECTED = "rejected", _("Rejected")

    USABLE = (State.READY, State.RESTRICTED)

    scene_id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    file_name = models.CharField(_("file name"), max_length=255)
    sha256 = models.CharField(_("SHA-256"), max_length=64, unique=True)
    bytes = models.BigIntegerField(_("bytes"))
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.CHECKING)
    region = models.ForeignKey(
        Region, models.PROTECT, null=True, blank=True, related_name="scenes", verbose_name=_("region")
    )
    uploader = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="scenes", verbose_name=_("uploader")
    )
    upload = models.OneToOneField(
        Upload, models.SET_NULL, null=True, blank=True, related_name="scene", verbose_name=_("upload")
    )
    ingest_job = models.ForeignKey(
        Job, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("ingest job")
    )
    uploaded_at = models.DateTimeField(_("uploaded"), auto_now_add=True)

    satellite = models.CharField(_("satellite"), max_length=20, blank=True)
    sensor = models.CharField(_("sensor"), max_length=20, blank=True)
    product_level = models.CharField(_("product level"), max_length=10, blank=True)
    acquired_on = models.DateField(_("acquired on"), null=True, blank=True)
    date_source = models.CharField(_("date source"), max_length=10, blank=True)
    bands = models.JSONField(_("bands"), default=list, blank=True)
    dtype = models.CharField(_("data type"), max_length=20, blank=True)
    valid_bits = models.PositiveSmallIntegerField(_("significant bits"), null=True, blank=True)
    width = models.PositiveIntegerField(_("columns"), null=True, blank=True)
    height = models.PositiveIntegerField(_("rows"), null=True, blank=True)
    gsd_m = models.FloatField(_("ground sampling distance (m)"), null=True, blank=True)
    # How far places lie from where they are on the reference, root mean square; None where nobody measured it.
    georef_rmse_m = models.FloatField(_("registration error (m)"), null=True, blank=True)
    crs = models.CharField(_("coordinate system"), max_length=200, blank=True)
    valid_share = models.FloatField(_("valid share"), null=True, blank=True)
    footprint = models.MultiPolygonField(_("footprint"), srid=SRID, null=True, blank=True)
    stretch = models.JSONField(_("stretch"), default=dict, blank=True)
    findings = models.JSONField(_("findings"), default=list, blank=True)
    cog_sha256 = models.CharField(_("COG SHA-256"), max_length=64, blank=True)
    thumbnail_sha256 = models.CharField(_("thumbnail SHA-256"), max_length=64, blank=True)

    objects = SceneQuerySet.as_manager()

    class Meta:
        verbose_name = _("scene")
        verbose_name_plural = _("scenes")
        ordering = ["-acquired_on", "-uploaded_at"]
        indexes = [models.Index(fields=["-acquired_on", "-uploaded_at"]), models.Index(fields=["state"])]
        constraints = [
            models.CheckConstraint(
                condition=~models.Q(state__in=["ready", "restricted"]) | ~models.Q(cog_sha256=""),
                name="usable_scene_has_a_cog",
            ),
            models.CheckConstraint(
                condition=models.Q(georef_rmse_m__isnull=True) | models.Q(georef_rmse_m__gte=0),
                name="scene_registration_error_not_negative",
            ),
        ]

    def __str__(self) -> str:
        return self.file_name

    @property
    def is_usable(self) -> bool:
        """It passed the checks and may be interpreted."""
        return self.state in self.USABLE

    @property
    def year(self) -> int | None:
        """The year it shows."""
        return self.acquired_on.year if self.acquired_on else None


class CheckQuerySet(SceneQuerySet):
    """Registration checks: as visible as their scene."""

    region_path: ClassVar[str] = "scene__region__code"
    owner_path: ClassVar[str | None] = "scene__uploader"


class RegistrationCheck(models.Model):
    """Who said when how well a scene is registered; the newest one holds. Rows are added, never changed."""

    scene = models.ForeignKey(Scene, models.CASCADE, related_name="registration_checks", verbose_name=_("scene"))
    rmse_m = models.FloatField(_("registration error (m)"), null=True, blank=True)
    method = models.CharField(_("how it was measured"), max_length=200)
    checked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("checked by")
    )
    checked_at = models.DateTimeField(_("checked"), auto_now_add=True)

    objects = CheckQuerySet.as_manager()

    class Meta:
        verbose_name = _("registration check")
        verbose_name_plural = _("registration checks")
        ordering = ["-checked_at", "-pk"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(rmse_m__isnull=True) | models.Q(rmse_m__gte=0),
                name="registration_check_not_negative",
            ),
            models.CheckConstraint(condition=~models.Q(method=""), name="registration_check_says_how"),
        ]

    def __str__(self) -> str:
        return f"{self.scene} {self.rmse_m}"
