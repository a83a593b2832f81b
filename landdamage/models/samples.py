"""What models are made of: sample sets, versioned and never changed once they are ready."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.conf import settings
from django.contrib.gis.db import models
from django.utils.translation import gettext_lazy as _

from minegis.access.permissions import Action, readers
from minegis.access.querysets import RegionScopedQuerySet
from minegis.jobs.models import Job
from minegis.registry.models import Region


class SampleSetQuerySet(RegionScopedQuerySet):
    """Sample sets: for those who may read them in their region."""

    reader_roles: ClassVar[frozenset[str] | None] = readers(Action.READ_SAMPLE_SET)


class SampleSet(models.Model):
    """One version of a named sample set; its tiles lie in a folder named by its hash."""

    class State(models.TextChoices):
        """Where the set stands; live progress is in its job."""

        BUILDING = "building", _("Building")
        READY = "ready", _("Ready")
        FAILED = "failed", _("Failed")

    class Kind(models.TextChoices):
        """Where its labels come from."""

        PATCHES = "patches", _("Accepted patches")
        VECTORS = "vectors", _("Polygon file")
        LABELS = "labels", _("Superpixel labels")

    set_id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(_("name"), max_length=80)
    version = models.PositiveIntegerField(_("version"))
    region = models.ForeignKey(Region, models.PROTECT, related_name="sample_sets", verbose_name=_("region"))
    kind = models.CharField(_("source"), max_length=8, choices=Kind.choices)
    source = models.JSONField(_("labels and images"), default=dict)
    params = models.JSONField(_("parameters"), default=dict)
    state = models.CharField(_("state"), max_length=8, choices=State.choices, default=State.BUILDING)
    sha256 = models.CharField(_("SHA-256"), max_length=64, blank=True)
    tiles = models.PositiveIntegerField(_("tiles"), default=0)
    bytes = models.BigIntegerField(_("bytes"), null=True, blank=True)
    leaky = models.BooleanField(_("sets leak into each other"), default=False)
    table = models.JSONField(_("objects, tiles and pixels per class"), default=list, blank=True)
    report = models.JSONField(_("report of the split"), default=dict, blank=True)
    findings = models.JSONField(_("findings"), default=list, blank=True)
    job = models.OneToOneField(
        Job, models.SET_NULL, null=True, blank=True, related_name="sample_set", verbose_name=_("job")
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("created by")
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    built_at = models.DateTimeField(_("built"), null=True, blank=True)

    objects = SampleSetQuerySet.as_manager()

    class Meta:
        verbose_name = _("sample set")
        verbose_name_plural = _("sample sets")
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(fields=["region", "name", "version"], name="sample_set_version_once"),
            models.CheckConstraint(
                condition=~models.Q(state="ready") | (~models.Q(sha256="") & models.Q(built_at__isnull=False)),
                name="ready_sample_set_has_a_hash",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} v{self.version}"
