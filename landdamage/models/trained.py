"""Models: every version with its card, what was done with it, how it was judged, and the trainings that make them."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from landdamage.models.samples import SampleSet
from minegis.access.permissions import Action, readers
from minegis.access.querysets import RegionScopedQuerySet
from minegis.jobs.models import Job


class TrainingQuerySet(RegionScopedQuerySet):
    """Trainings: as visible as the sample set they learn from."""

    region_path: ClassVar[str] = "sample_set__region__code"
    reader_roles: ClassVar[frozenset[str] | None] = readers(Action.READ_MODEL)


class TrainedModel(models.Model):
    """One version of a model: its card, its weights by hash, and whether scenes are read with it.

    Models belong to no region: a role (tier of resolution and bands) has one promoted model for everybody.
    """

    class State(models.TextChoices):
        """Where it stands."""

        CANDIDATE = "candidate", _("Candidate")
        PROMOTED = "promoted", _("Promoted")
        RETIRED = "retired", _("Retired")

    class Origin(models.TextChoices):
        """Where it comes from."""

        SHIPPED = "shipped", _("Shipped with MineGIS")
        TRAINED = "trained", _("Trained here")
        UPLOADED = "uploaded", _("Brought as a file")

    model_id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(_("name"), max_length=60)
    version = models.CharField(_("version"), max_length=30)
    role = models.CharField(_("role"), max_length=60)
    card = models.JSONField(_("card"))
    weights_sha256 = models.CharField(_("weights SHA-256"), max_length=64, unique=True)
    bytes = models.BigIntegerField(_("bytes"), null=True, blank=True)
    origin = models.CharField(_("origin"), max_length=8, choices=Origin.choices)
    state = models.CharField(_("state"), max_length=9, choices=State.choices, default=State.CANDIDATE)
    # Not of a training made here: nobody knows what ground it saw.
    sample_set = models.ForeignKey(
        SampleSet, models.PROTECT, null=True, blank=True, related_name="trained_models", verbose_name=_("sample set")
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("created by")
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("model")
        verbose_name_plural = _("models")
        ordering = ["role", "-created_at"]
        constraints = [
            models.UniqueConstraint(fields=["name", "version"], name="model_version_once"),
            models.UniqueConstraint(fields=["role"], condition=Q(state="promoted"), name="one_promoted_model_per_role"),
            models.CheckConstraint(
                condition=Q(state__in=["candidate", "promoted", "retired"]), name="model_state_known"
            ),
            models.CheckConstraint(
                condition=Q(weights_sha256__regex=r"^[0-9a-f]{64}$"), name="model_names_its_weights"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.version}"

    @property
    def gsd_m(self) -> float:
        """Sampling distance it was trained at, metres."""
        return float(self.card["gsd_m"])

    @property
    def bands(self) -> list[str]:
        """Its bands, in order."""
        return list(self.card["bands"])


class ModelComparison(models.Model):
    """A model beside the promoted one of its role, judged on the test tiles of the same sample set."""

    class State(models.TextChoices):
        """Where the comparison stands; live progress is in its job."""

        QUEUED = "queued", _("Queued")
        READY = "ready", _("Ready")
        FAILED = "failed", _("Failed")

    comparison_id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    candidate = models.ForeignKey(TrainedModel, models.PROTECT, related_name="comparisons", verbose_name=_("candidate"))
    # None: no model of the role was promoted when it was asked for.
    promoted = models.ForeignKey(
        TrainedModel, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("promoted")
    )
    sample_set = models.ForeignKey(SampleSet, models.PROTECT, related_name="comparisons", verbose_name=_("sample set"))
    sample_set_sha256 = models.CharField(_("sample set SHA-256"), max_length=64)
    state = models.CharField(_("state"), max_length=6, choices=State.choices, default=State.QUEUED)
    candidate_score = models.ForeignKey("ModelScore", models.PROTECT, null=True, blank=True, related_name="+")
    promoted_score = models.ForeignKey("ModelScore", models.PROTECT, null=True, blank=True, related_name="+")
    # Candidate less promoted per mean score: [difference, low, high] of the 95 % interval over regions.
    difference = models.JSONField(_("difference"), default=dict, blank=True)
    job = models.OneToOneField(
        Job, models.SET_NULL, null=True, blank=True, related_name="comparison", verbose_name=_("job")
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("created by")
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)

    class Meta:
        verbose_name = _("comparison of models")
        verbose_name_plural = _("comparisons of models")
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(
                condition=~Q(state="ready")
                | Q(candidate_score__isnull=False, finished_at__isnull=False)
                & (Q(promoted__isnull=True) | Q(promoted_score__isnull=False)),
                name="ready_comparison_has_its_scores",
            ),
            models.CheckConstraint(
                condition=Q(promoted__isnull=True) | ~Q(promoted=models.F("candidate")),
                name="comparison_of_two_models",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.candidate} · {self.sample_set}"


class ModelScore(models.Model):
    """What a model gets right on the test tiles of a sample set; measured once, never changed."""

    score_id = models.BigAutoField(primary_key=True)
    model = models.ForeignKey(TrainedModel, models.PROTECT, related_name="scores", verbose_name=_("model"))
    sample_set = models.ForeignKey(SampleSet, models.PROTECT, related_name="scores", verbose_name=_("sample set"))
    sample_set_sha256 = models.CharField(_("sample set SHA-256"), max_length=64)
    # Per region the counts of ``learning.tally.Tally``: confusion matrix, outline pixels, polygons.
    regions = models.JSONField(_("counts per region"))
    metrics = models.JSONField(_("metrics"))
    # Test tiles that touch ground the model learned from or was selected on; None: nobody knows.
    seen_tiles = models.PositiveIntegerField(_("test tiles it knows"), null=True, blank=True)
    panels = models.JSONField(_("tiles drawn"), default=list)
    facts = models.JSONField(_("how it was measured"), default=dict)
    created_at = models.DateTimeField(_("measured"), auto_now_add=True)

    class Meta:
        verbose_name = _("score of a model")
        verbose_name_plural = _("scores of models")
        ordering = ["score_id"]
        constraints = [
            models.UniqueConstraint(fields=["model", "sample_set_sha256"], name="model_scored_once_per_sample_set")
        ]

    def __str__(self) -> str:
        return f"{self.model} · {self.sample_set}"


class ModelDeed(models.Model):
    """Who did what with a model, when and why; never changed, never deleted."""

    class Kind(models.TextChoices):
        """What was done."""

        REGISTERED = "registered", _("Registered")
        PROMOTED = "promoted", _("Put into use")
        RETIRED = "retired", _("Taken out of use")

    deed_id = models.BigAutoField(primary_key=True)
    model = models.ForeignKey(TrainedModel, models.PROTECT, related_name="deeds", verbose_name=_("model"))
    kind = models.CharField(_("deed"), max_length=10, choices=Kind.choices)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("by")
    )
    reason = models.TextField(_("reason"), blank=True)
    replaced = models.ForeignKey(
        TrainedModel, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("replaced")
    )
    comparison = models.ForeignKey(
        ModelComparison, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("comparison")
    )
    # Its mean IoU was lower than that of the model it replaced, or the comparison could not tell.
    in_spite = models.BooleanField(_("in spite of the comparison"), default=False)
    at = models.DateTimeField(_("when"), auto_now_add=True)

    class Meta:
        verbose_name = _("deed on a model")
        verbose_name_plural = _("deeds on models")
        ordering = ["-deed_id"]
        constraints = [
            models.CheckConstraint(condition=Q(in_spite=False) | ~Q(reason=""), name="promotion_in_spite_has_a_reason"),
            models.CheckConstraint(condition=~Q(kind="retired") | ~Q(reason=""), name="retirement_has_a_reason"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.model}"


class Training(models.Model):
    """A network learning from a sample set; state, log and curves lie in a folder named by its id."""

    class State(models.TextChoices):
        """Where it stands; live progress is in its job."""

        WAITING = "waiting", _("Waiting for its samples")
        QUEUED = "queued", _("Queued or under way")
        DONE = "done", _("Done")
        FAILED = "failed", _("Failed")

    training_id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(_("name of the model"), max_length=60)
    sample_set = models.ForeignKey(SampleSet, models.PROTECT, related_name="trainings", verbose_name=_("sample set"))
    since = models.CharField(_("patches accepted since"), max_length=100, blank=True)
    choices = models.JSONField(_("choices"), default=dict, blank=True)
    state = models.CharField(_("state"), max_length=7, choices=State.choices, default=State.WAITING)
    job = models.OneToOneField(
        Job, models.SET_NULL, null=True, blank=True, related_name="training", verbose_name=_("job")
    )
    model = models.OneToOneField(
        TrainedModel, models.PROTECT, null=True, blank=True, related_name="training", verbose_name=_("model")
    )
    comparison = models.OneToOneField(
        ModelComparison, models.PROTECT, null=True, blank=True, related_name="training", verbose_name=_("comparison")
    )
    curves = models.JSONField(_("curves"), default=dict, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("created by")
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)

    objects = TrainingQuerySet.as_manager()

    class Meta:
        verbose_name = _("training")
        verbose_name_plural = _("trainings")
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(
                condition=~Q(state="done") | Q(model__isnull=False, finished_at__isnull=False),
                name="done_training_has_a_model",
            )
        ]

    def __str__(self) -> str:
        return f"{self.name} · {self.sample_set}"
