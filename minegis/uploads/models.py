"""One row per upload; the bytes lie in quarantine until the last one has arrived and the hash agrees."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from minegis.access.querysets import RegionScopedQuerySet
from minegis.registry.models import Region


class UploadQuerySet(RegionScopedQuerySet):
    """Uploads belong to one person; nobody else sees them."""

    owner_path: ClassVar[str | None] = "created_by"
    reader_roles: ClassVar[frozenset[str] | None] = frozenset()


class Upload(models.Model):
    """A file on its way in: receiving -> complete -> consumed, or expired / terminated."""

    class State(models.TextChoices):
        """Where the file stands."""

        RECEIVING = "receiving", _("Receiving")
        COMPLETE = "complete", _("Complete")
        CONSUMED = "consumed", _("Taken over")
        FAILED = "failed", _("Failed")
        TERMINATED = "terminated", _("Cancelled")
        EXPIRED = "expired", _("Expired")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    file_name = models.CharField(_("file name"), max_length=255)
    length = models.BigIntegerField(_("declared length"))
    offset = models.BigIntegerField(_("bytes received"), default=0)
    metadata = models.JSONField(_("metadata"), default=dict, blank=True)
    expected_sha256 = models.CharField(_("expected SHA-256"), max_length=64, blank=True)
    sha256 = models.CharField(_("SHA-256"), max_length=64, blank=True)
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.RECEIVING)
    error_code = models.CharField(_("error code"), max_length=12, blank=True)
    error_values = models.JSONField(_("error values"), default=dict, blank=True)
    result_id = models.CharField(_("what became of it"), max_length=64, blank=True)
    region = models.ForeignKey(
        Region, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("region")
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="uploads", verbose_name=_("created by")
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    expires_at = models.DateTimeField(_("expires"))

    objects = UploadQuerySet.as_manager()

    class Meta:
        verbose_name = _("upload")
        verbose_name_plural = _("uploads")
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(offset__gte=0) & models.Q(offset__lte=models.F("length")),
                name="upload_offset_within_length",
            )
        ]

    def __str__(self) -> str:
        return self.file_name
