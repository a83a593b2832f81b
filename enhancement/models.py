"""Records of the enhancement: clips as received, what was made of them, frames pinned as evidence."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from minegis.access.permissions import Action, readers
from minegis.access.querysets import RegionScopedQuerySet
from minegis.jobs.models import Job
from minegis.registry.models import Camera, Mine, Region
from minegis.uploads.models import Upload


class ClipQuerySet(RegionScopedQuerySet):
    """Clips of a region for those who may read them; a field uploader sees their own."""

    owner_path: ClassVar[str | None] = "uploader"
    reader_roles: ClassVar[frozenset[str] | None] = readers(Action.READ_CLIP)


class EnhancementQuerySet(ClipQuerySet):
    """Enhancements: as visible as their clip."""

    region_path: ClassVar[str] = "clip__region__code"
    owner_path: ClassVar[str | None] = "clip__uploader"


class FrameQuerySet(EnhancementQuerySet):
    """Pinned frames: as visible as their clip."""


class Clip(models.Model):
    """A surveillance video or a still: identity by content hash, facts from the file, findings of the check."""

    class State(models.TextChoices):
        """Where the clip stands; live progress is in its job."""

        CHECKING = "checking", _("Checking")
        READY = "ready", _("Ready")
        REJECTED = "rejected", _("Rejected")

    class Kind(models.TextChoices):
        """What it is."""

        VIDEO = "video", _("Video")
        IMAGE = "image", _("Still image")

    clip_id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(_("kind"), max_length=5, choices=Kind.choices, default=Kind.VIDEO)
    file_name = models.CharField(_("file name"), max_length=255)
    sha256 = models.CharField(_("SHA-256"), max_length=64)
    bytes = models.BigIntegerField(_("bytes"))
    state = models.CharField(_("state"), max_length=8, choices=State.choices, default=State.CHECKING)
    region = models.ForeignKey(Region, models.PROTECT, related_name="clips", verbose_name=_("region"))
    camera = models.ForeignKey(
        Camera, models.PROTECT, null=True, blank=True, related_name="clips", verbose_name=_("camera")
    )
    mine = models.ForeignKey(Mine, models.PROTECT, null=True, blank=True, related_name="clips", verbose_name=_("mine"))
    uploader = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="clips", verbose_name=_("uploader")
    )
    upload = models.OneToOneField(
        Upload, models.SET_NULL, null=True, blank=True, related_name="clip", verbose_name=_("upload")
    )
    job = models.ForeignKey(Job, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("job"))
    uploaded_at = models.DateTimeField(_("uploaded"), auto_now_add=True)
    recorded_at = models.DateTimeField(_("recorded"), null=True, blank=True)

    media_type = models.CharField(_("media type"), max_length=40, blank=True)
    codec = models.CharField(_("codec"), max_length=20, blank=True)
    width = models.PositiveIntegerField(_("columns"), null=True, blank=True)
    height = models.PositiveIntegerField(_("rows"), null=True, blank=True)
    frames = models.PositiveIntegerField(_("frames"), null=True, blank=True)
    seconds = models.FloatField(_("duration (s)"), null=True, blank=True)
    rate = models.FloatField(_("frames per second"), null=True, blank=True)
    facts = models.JSONField(_("facts"), default=dict, blank=True)
    findings = models.JSONField(_("findings"), default=list, blank=True)
    # What browsers show instead of the original, where they do not play that; empty where they do.
    proxy_sha256 = models.CharField(_("playable copy SHA-256"), max_length=64, blank=True)
    thumbnail_sha256 = models.CharField(_("thumbnail SHA-256"), max_length=64, blank=True)

    objects = ClipQuerySet.as_manager()

    class Meta:
        verbose_name = _("clip")
        verbose_name_plural = _("clips")
        ordering = ["-uploaded_at"]
        indexes = [models.Index(fields=["-uploaded_at"]), models.Index(fields=["state"])]
        constraints = [
            models.UniqueConstraint(fields=["region", "sha256"], name="clip_once_per_region"),
            models.CheckConstraint(
                condition=~models.Q(state="ready") | ~models.Q(thumbnail_sha256=""), name="ready_clip_has_a_thumbnail"
            ),
        ]

    def __str__(self) -> str:
        return self.file_name

    @property
    def is_ready(self) -> bool:
        """It passed the check and may be enhanced."""
        return self.state == self.State.READY


class Enhancement(models.Model):
    """What was made of a clip, reproducible from its row: input's hash, method, parameters, code version."""

    class Method(models.TextChoices):
        """How it was enhanced."""

        DEHAZE = "dehaze", _("Dust and fog")
        LEDNET = "lednet", _("Night and motion blur")
        CHAIN = "chain", _("Automatic")

    class State(models.TextChoices):
        """Where the work stands; live progress is in its job."""

        QUEUED = "queued", _("Queued")
        RUNNING = "running", _("Running")
        SUCCEEDED = "succeeded", _("Succeeded")
        FAILED = "failed", _("Failed")
        CANCELLED = "cancelled", _("Cancelled")

    ACTIVE = (State.QUEUED, State.RUNNING)

    enhancement_id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    clip = models.ForeignKey(Clip, models.CASCADE, related_name="enhancements", verbose_name=_("clip"))
    method = models.CharField(_("method"), max_length=6, choices=Method.choices, default=Method.DEHAZE)
    preset = models.CharField(_("preset"), max_length=20, blank=True)
    params = models.JSONField(_("parameters"), default=dict)
    job = models.OneToOneField(
        Job, models.SET_NULL, null=True, blank=True, related_name="enhancement", verbose_name=_("job")
    )
    state = models.CharField(_("state"), max_length=9, choices=State.choices, default=State.QUEUED)
    result_sha256 = models.CharField(_("result SHA-256"), max_length=64, blank=True)
    result_bytes = models.BigIntegerField(_("bytes of the result"), null=True, blank=True)
    media_type = models.CharField(_("media type"), max_length=40, blank=True)
    proxy_sha256 = models.CharField(_("playable copy SHA-256"), max_length=64, blank=True)
    frames = models.PositiveIntegerField(_("frames"), null=True, blank=True)
    seconds = models.FloatField(_("duration (s)"), null=True, blank=True)
    readings = models.JSONField(_("readings"), default=dict, blank=True)
    findings = models.JSONField(_("findings"), default=list, blank=True)
    code_version = models.CharField(_("code version"), max_length=40, blank=True)
    # Of the network that worked on it; empty where none does.
    weights_sha256 = models.CharField(_("weights SHA-256"), max_length=64, blank=True)
    started_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("started by")
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)

    objects = EnhancementQuerySet.as_manager()

    class Meta:
        verbose_name = _("enhancement")
        verbose_name_plural = _("enhancements")
        ordering = ["-created_at"]
        indexes = [models.Index(fields=["-created_at"])]
        constraints = [
            models.CheckConstraint(
                condition=~models.Q(state="succeeded")
                | (~models.Q(result_sha256="") & models.Q(finished_at__isnull=False)),
                name="finished_enhancement_has_a_result",
            ),
            models.CheckConstraint(
                condition=models.Q(method__in=["dehaze", "lednet", "chain"]), name="enhancement_method_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.clip} · {self.get_method_display()}"

    @property
    def region(self) -> Region:
        """Where its clip belongs."""
        return self.clip.region

    @property
    def at_night(self) -> bool:
        """Whether LEDNet may have worked on it."""
        return self.method != self.Method.DEHAZE


class EvidenceFrame(models.Model):
    """One frame of a clip or of its result, kept for a mine with its hash. Rows are added, never changed."""

    frame_id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    clip = models.ForeignKey(Clip, models.PROTECT, related_name="evidence_frames", verbose_name=_("clip"))
    enhancement = models.ForeignKey(
        Enhancement,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="evidence_frames",
        verbose_name=_("enhancement"),
    )
    mine = models.ForeignKey(Mine, models.PROTECT, related_name="evidence_frames", verbose_name=_("mine"))
    number = models.PositiveIntegerField(_("frame"))
    seconds = models.FloatField(_("time in the clip (s)"))
    width = models.PositiveIntegerField(_("columns"))
    height = models.PositiveIntegerField(_("rows"))
    sha256 = models.CharField(_("SHA-256"), max_length=64)
    bytes = models.BigIntegerField(_("bytes"))
    source_sha256 = models.CharField(_("SHA-256 of the file it was taken from"), max_length=64)
    note = models.CharField(_("note"), max_length=200, blank=True)
    pinned_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("pinned by")
    )
    pinned_at = models.DateTimeField(_("pinned"), auto_now_add=True)

    objects = FrameQuerySet.as_manager()

    class Meta:
        verbose_name = _("evidence frame")
        verbose_name_plural = _("evidence frames")
        ordering = ["-pinned_at"]
        constraints = [
            models.UniqueConstraint(fields=["mine", "sha256"], name="evidence_frame_once_per_mine"),
            models.CheckConstraint(condition=models.Q(seconds__gte=0), name="evidence_frame_time_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.clip} #{self.number}"

    @property
    def region(self) -> Region:
        """Where its clip belongs."""
        return self.clip.region


class LiveStreamQuerySet(RegionScopedQuerySet):
    """Live streams: of the region's cameras, for those who may look at pictures."""

    region_path: ClassVar[str] = "camera__region__code"
    reader_roles: ClassVar[frozenset[str] | None] = readers(Action.WATCH_CLIP)


class LiveStream(models.Model):
    """A camera's stream being enhanced for those who watch; it ends by itself when nobody does."""

    stream_id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    camera = models.ForeignKey(Camera, models.CASCADE, related_name="live_streams", verbose_name=_("camera"))
    job = models.OneToOneField(
        Job, models.SET_NULL, null=True, blank=True, related_name="live_stream", verbose_name=_("job")
    )
    running = models.BooleanField(_("running"), default=True)
    method = models.CharField(
        _("method"), max_length=6, choices=Enhancement.Method.choices, default=Enhancement.Method.DEHAZE
    )
    params = models.JSONField(_("parameters"), default=dict)
    started_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("started by")
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    watched_at = models.DateTimeField(_("last watched"), auto_now_add=True)

    objects = LiveStreamQuerySet.as_manager()

    class Meta:
        verbose_name = _("live stream")
        verbose_name_plural = _("live streams")
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["camera"], condition=models.Q(running=True), name="one_live_stream_per_camera"
            )
        ]

    def __str__(self) -> str:
        return f"{self.camera}"

    @property
    def region(self) -> Region:
        """Where its camera stands."""
        return self.camera.region
