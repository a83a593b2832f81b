"""A run of the network over a scene, and the land-cover patches it found."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.conf import settings
from django.contrib.gis.db import models
from django.utils.translation import gettext_lazy as _

from landdamage import taxonomy
from landdamage.models.scene import Scene, SceneQuerySet
from minegis.jobs.models import Job
from minegis.registry.models import SRID, Mine, Region


class RunQuerySet(SceneQuerySet):
    """Runs: as visible as their scene."""

    region_path: ClassVar[str] = "scene__region__code"
    owner_path: ClassVar[str | None] = "scene__uploader"


class PatchQuerySet(SceneQuerySet):
    """Patches: as visible as their scene."""

    region_path: ClassVar[str] = "run__scene__region__code"
    owner_path: ClassVar[str | None] = "run__scene__uploader"


class ReviewQuerySet(SceneQuerySet):
    """Reviews: as visible as their patch's scene."""

    region_path: ClassVar[str] = "patch__run__scene__region__code"
    owner_path: ClassVar[str | None] = "patch__run__scene__uploader"


class InterpretationRun(models.Model):
    """One interpretation, reproducible from its row: inputs' hashes, model hash, parameters, code version."""

    class State(models.TextChoices):
        """Where the run stands; live progress is in its job."""

        QUEUED = "queued", _("Queued")
        RUNNING = "running", _("Running")
        SUCCEEDED = "succeeded", _("Succeeded")
        FAILED = "failed", _("Failed")
        CANCELLED = "cancelled", _("Cancelled")

    run_id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    scene = models.ForeignKey(Scene, models.PROTECT, related_name="runs", verbose_name=_("scene"))
    year = models.PositiveSmallIntegerField(_("year"), null=True, blank=True)
    job = models.OneToOneField(Job, models.SET_NULL, null=True, blank=True, related_name="run", verbose_name=_("job"))
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.QUEUED)
    is_current = models.BooleanField(_("current result of its scene"), default=False)
    # The registered version it used, fixed by its first attempt; None: made before models were registered, or imported.
    model = models.ForeignKey(
        "landdamage.TrainedModel",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="runs",
        verbose_name=_("registered model"),
    )
    model_name = models.CharField(_("model name"), max_length=60, blank=True)
    model_version = models.CharField(_("model version"), max_length=30, blank=True)
    weights_sha256 = models.CharField(_("weights SHA-256"), max_length=64, blank=True)
    engine = models.CharField(_("engine"), max_length=60, blank=True)
    params = models.JSONField(_("parameters"), default=dict, blank=True)
    code_version = models.CharField(_("code version"), max_length=40, blank=True)
    class_sha256 = models.CharField(_("class raster SHA-256"), max_length=64, blank=True)
    confidence_sha256 = models.CharField(_("confidence raster SHA-256"), max_length=64, blank=True)
    findings = models.JSONField(_("findings"), default=list, blank=True)
    started_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("started by")
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)

    objects = RunQuerySet.as_manager()

    class Meta:
        verbose_name = _("interpretation run")
        verbose_name_plural = _("interpretation runs")
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["scene"], condition=models.Q(is_current=True), name="one_current_run_per_scene"
            ),
            models.CheckConstraint(
                condition=models.Q(is_current=False) | models.Q(state="succeeded"), name="current_run_has_succeeded"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.scene} · {self.model_name or '…'}"


class Patch(models.Model):
    """A land-cover patch: one polygon of one class."""

    class Source(models.TextChoices):
        """Where the outline comes from."""

        MODEL = "model", _("Model")
        MANUAL = "manual", _("Drawn by hand")
        EDITED = "edited", _("Edited")
        IMPORTED = "imported", _("Imported")

    class WaterOrigin(models.TextChoices):
        """What kind of water it is (only for class water)."""

        PIT_WATER = "pit_water", _("Pit water")
        TAILINGS_WATER = "tailings_water", _("Tailings water")
        NATURAL = "natural", _("Natural")
        UNKNOWN = "unknown", _("Undecided")

    patch_id = models.BigAutoField(primary_key=True)
    # The index on run and class serves the run alone, too.
    run = models.ForeignKey(
        InterpretationRun, models.CASCADE, related_name="patches", db_index=False, verbose_name=_("run")
    )
    class_code = models.CharField(_("class"), max_length=20, choices=[(c.code, c.en) for c in taxonomy.ALL_CLASSES])
    damage_kind = models.CharField(
        _("damage kind"), max_length=10, choices=[(k.code, k.en) for k in taxonomy.DAMAGE_KINDS]
    )
    water_origin = models.CharField(_("water origin"), max_length=14, choices=WaterOrigin.choices, blank=True)
    geom = models.MultiPolygonField(_("outline"), srid=SRID)
    area_cm2 = models.BigIntegerField(_("area (cm²)"))
    confidence = models.FloatField(_("confidence"))
    confidence_p5 = models.FloatField(_("confidence, 5 % quantile"))
    margin = models.FloatField(_("margin to the second class"))
    source = models.CharField(_("source"), max_length=8, choices=Source.choices, default=Source.MODEL)
    mine = models.ForeignKey(
        Mine, models.SET_NULL, null=True, blank=True, related_name="patches", verbose_name=_("mine")
    )
    region = models.ForeignKey(
        Region, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("region")
    )
    version = models.PositiveIntegerField(_("version"), default=1)
    # Who drew or edited it; None where the model did. What it shows is decided by somebody else.
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        verbose_name=_("author"),
    )

    # Who decided the origin of the water: behind what it shows like an author, though the outline is not theirs.
    water_decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        verbose_name=_("water decided by"),
    )

    objects = PatchQuerySet.as_manager()

    class Meta:
        verbose_name = _("patch")
        verbose_name_plural = _("patches")
        ordering = ["patch_id"]
        # A patch as the model found it has no author: these indexes cost nothing while a run's patches are loaded.
        indexes = [
            models.Index(fields=["run", "class_code"]),
            models.Index(fields=["author"], condition=models.Q(author__isnull=False), name="patch_author"),
            models.Index(
                fields=["water_decided_by"],
                condition=models.Q(water_decided_by__isnull=False),
                name="patch_water_decided_by",
            ),
        ]
        constraints = [
            models.CheckConstraint(condition=models.Q(area_cm2__gt=0), name="patch_area_positive"),
            models.CheckConstraint(condition=models.Q(class_code__in=list(taxonomy.BY_CODE)), name="patch_class_known"),
            models.CheckConstraint(
                condition=models.Q(damage_kind__in=list(taxonomy.DAMAGE_KIND_BY_CODE)), name="patch_damage_kind_known"
            ),
            models.CheckConstraint(
                condition=models.Q(
                    class_code="water", water_origin__in=["pit_water", "tailings_water", "natural", "unknown"]
                )
                | (~models.Q(class_code="water") & models.Q(water_origin="")),
                name="patch_water_origin_for_water_only",
            ),
            models.CheckConstraint(
                condition=models.Q(water_decided_by__isnull=True)
                | models.Q(class_code="water", water_origin__in=["pit_water", "tailings_water", "natural"]),
                name="patch_decided_water_has_an_origin",
            ),
            models.CheckConstraint(
                condition=models.Q(confidence__gte=0) & models.Q(confidence__lte=1), name="patch_confidence_is_a_share"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.class_code} {self.patch_id}"

    @property
    def land_class(self) -> taxonomy.LandClass:
        """The class with its names and colours."""
        return taxonomy.BY_CODE[self.class_code]


class PatchReview(models.Model):
    """A person's word about what a patch shows, beside what had been found; the patch itself carries the outcome."""

    class Verdict(models.TextChoices):
        """What the person said; a word taken back stays on record."""

        CONFIRMED = "confirmed", _("Confirmed")
        CHANGED = "changed", _("Something else")
        REJECTED = "rejected", _("Nothing of the kind")
        UNDONE = "undone", _("Taken back")

    patch = models.OneToOneField(
        Patch, models.CASCADE, primary_key=True, related_name="review", verbose_name=_("patch")
    )
    verdict = models.CharField(_("verdict"), max_length=9, choices=Verdict.choices)
    reason = models.TextField(_("reason"), blank=True)
    reviewer = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("reviewer"))
    reviewed_at = models.DateTimeField(_("reviewed"))
    # When the patch last came to mean something else: accounts from before do not know it.
    changed_at = models.DateTimeField(_("meaning changed"), null=True, blank=True)
    found_class = models.CharField(_("class found"), max_length=20)
    found_origin = models.CharField(_("water origin found"), max_length=14, blank=True)
    found_source = models.CharField(_("source found"), max_length=8)
    found_author = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("drawn by")
    )

    objects = ReviewQuerySet.as_manager()

    class Meta:
        verbose_name = _("review of a patch")
        verbose_name_plural = _("reviews of patches")
        ordering = ["-reviewed_at"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(verdict__in=["confirmed", "changed", "rejected", "undone"]),
                name="patch_verdict_known",
            ),
            models.CheckConstraint(
                condition=models.Q(found_author__isnull=True) | ~models.Q(reviewer=models.F("found_author")),
                name="patch_reviewed_by_other_eyes",
            ),
            models.CheckConstraint(
                condition=~models.Q(found_class="tailings_pond", verdict__in=["changed", "rejected"])
                | ~models.Q(reason=""),
                name="tailings_verdict_gives_its_reason",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.verdict} {self.patch_id}"
