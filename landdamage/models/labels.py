"""Labels made on superpixels: a window of a scene cut into pieces, and what each person said about them."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.conf import settings
from django.contrib.gis.db import models
from django.db.models.lookups import Exact
from django.utils.translation import gettext_lazy as _

from landdamage.models.interpretation import InterpretationRun
from landdamage.models.scene import Scene
from minegis.access.permissions import Action, readers
from minegis.access.querysets import RegionScopedQuerySet
from minegis.jobs.models import Job


class LabelPlateQuerySet(RegionScopedQuerySet):
    """Plates: for those who may label in the region of the scene."""

    region_path: ClassVar[str] = "scene__region__code"
    reader_roles: ClassVar[frozenset[str] | None] = readers(Action.LABEL_SAMPLE)


class LabelPlate(models.Model):
    """A window of a scene cut into superpixels; ready, it never changes: its files are named by their hashes."""

    class State(models.TextChoices):
        """Where the plate stands; live progress is in its job."""

        CUTTING = "cutting", _("Being cut")
        READY = "ready", _("Ready")
        FAILED = "failed", _("Failed")

    plate_id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    scene = models.ForeignKey(Scene, models.PROTECT, related_name="label_plates", verbose_name=_("scene"))
    column = models.PositiveIntegerField(_("first column"))
    row = models.PositiveIntegerField(_("first row"))
    width = models.PositiveIntegerField(_("columns"))
    height = models.PositiveIntegerField(_("rows"))
    side_px = models.PositiveSmallIntegerField(_("side of a superpixel (px)"))
    state = models.CharField(_("state"), max_length=8, choices=State.choices, default=State.CUTTING)
    segments_sha256 = models.CharField(_("superpixels, SHA-256"), max_length=64, blank=True)
    outlines_sha256 = models.CharField(_("outlines, SHA-256"), max_length=64, blank=True)
    # Of the superpixels 1.. in the order of their numbers: pixels, and how much of them the run was unsure of.
    pixels = models.JSONField(_("pixels of each superpixel"), default=list, blank=True)
    doubt = models.JSONField(_("doubt times area of each superpixel"), default=list, blank=True)
    run = models.ForeignKey(
        InterpretationRun, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("run")
    )
    bounds = models.JSONField(_("west, south, east, north"), default=list, blank=True)
    job = models.OneToOneField(
        Job, models.SET_NULL, null=True, blank=True, related_name="label_plate", verbose_name=_("job")
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("created by")
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    objects = LabelPlateQuerySet.as_manager()

    class Meta:
        verbose_name = _("label plate")
        verbose_name_plural = _("label plates")
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(
                condition=~models.Q(state="ready") | (~models.Q(segments_sha256="") & ~models.Q(outlines_sha256="")),
                name="ready_label_plate_has_its_files",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.scene} · {self.column}, {self.row}"


class LabelSheetQuerySet(LabelPlateQuerySet):
    """Sheets: as visible as their plate."""

    region_path: ClassVar[str] = "plate__scene__region__code"


class LabelSheet(models.Model):
    """What one person said about a plate: a log of four bytes a key that only grows; its n-th version is n entries."""

    plate = models.ForeignKey(LabelPlate, models.PROTECT, related_name="sheets", verbose_name=_("label plate"))
    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("person"))
    version = models.PositiveIntegerField(_("version"), default=0)
    log = models.BinaryField(_("entries"), default=bytes)
    started_at = models.DateTimeField(_("started"), auto_now_add=True)
    saved_at = models.DateTimeField(_("saved"), auto_now=True)

    objects = LabelSheetQuerySet.as_manager()

    class Meta:
        verbose_name = _("label sheet")
        verbose_name_plural = _("label sheets")
        ordering = ["-saved_at"]
        constraints = [
            models.UniqueConstraint(fields=["plate", "person"], name="label_sheet_once_per_person"),
            models.CheckConstraint(
                condition=Exact(
                    models.Func(models.F("log"), function="octet_length", output_field=models.IntegerField()),
                    models.F("version") * 4,
                ),
                name="label_sheet_version_counts_its_entries",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.plate} · {self.person}"
