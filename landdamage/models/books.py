"""The books of a region: monitored areas, editions, their cells, and the decisions and evidence behind them."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.gis.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from landdamage.accounting.content import FORMAT
from landdamage.accounting.states import DECISIONS, KINDS, NAMES, Flow, PieceKind, State
from landdamage.models.interpretation import InterpretationRun
from landdamage.models.scene import Scene
from minegis.access.permissions import Action, readers
from minegis.access.querysets import RegionScopedQuerySet
from minegis.jobs.models import Job
from minegis.registry.models import SRID, Mine, Region

STATE_CODES = [(state.code, NAMES[state.code][1]) for state in State]
FLOW_CODES = [(flow.value, NAMES[flow.value][1]) for flow in Flow]
KIND_CODES = [(kind, kind) for kind in (*KINDS, "")]


class BooksQuerySet(RegionScopedQuerySet):
    """Books are read by those who may read statistics in the region."""

    reader_roles: ClassVar[frozenset[str] | None] = readers(Action.READ_STATISTICS)


class EditionPartQuerySet(BooksQuerySet):
    """What belongs to an edition is as visible as the edition."""

    region_path: ClassVar[str] = "edition__region__code"


class EvidenceQuerySet(BooksQuerySet):
    """Evidence: also one's own, for field uploaders, who read no statistics."""

    owner_path: ClassVar[str | None] = "uploaded_by"


class SubsidenceQuerySet(BooksQuerySet):
    """Subsidence: also one's own proposals."""

    owner_path: ClassVar[str | None] = "author"


class SceneScopedQuerySet(RegionScopedQuerySet):
    """What belongs to a scene, for those who may read scenes in its region."""

    region_path: ClassVar[str] = "scene__region__code"
    reader_roles: ClassVar[frozenset[str] | None] = readers(Action.READ_SCENE)


class SampleQuerySet(BooksQuerySet):
    """Check samples, by the region of their edition."""

    region_path: ClassVar[str] = "edition__region__code"


class RestorationQuerySet(BooksQuerySet):
    """Restorations, by the region of their piece's edition."""

    region_path: ClassVar[str] = "piece__edition__region__code"


class PointQuerySet(BooksQuerySet):
    """Check points, by the region of their sample's edition."""

    region_path: ClassVar[str] = "sample__edition__region__code"


def _person(verbose: Any) -> Any:
    """A person who did something; the record outlives the account."""
    return models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=verbose
    )


class MonitoredArea(models.Model):
    """The accounting domain of a region, versioned: the mines' influence zones and what is added by hand."""

    region = models.ForeignKey(Region, models.PROTECT, related_name="monitored_areas", verbose_name=_("region"))
    version = models.PositiveIntegerField(_("version"))
    extra = models.MultiPolygonField(_("ground beyond the influence zones"), srid=SRID, null=True, blank=True)
    note = models.CharField(_("note"), max_length=200, blank=True)
    created_by = _person(_("created by"))
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    objects = BooksQuerySet.as_manager()

    class Meta:
        verbose_name = _("monitored area")
        verbose_name_plural = _("monitored areas")
        ordering = ["region", "-version"]
        constraints = [models.UniqueConstraint(fields=["region", "version"], name="monitored_area_version_once")]

    def __str__(self) -> str:
        return f"{self.region} v{self.version}"


class Edition(models.Model):
    """One version of a region's year: draft, frozen, published; never changed once published."""

    class State(models.TextChoices):
        """Where the edition stands."""

        DRAFT = "draft", _("Draft")
        FROZEN = "frozen", _("Frozen")
        PUBLISHED = "published", _("Published")
        SUPERSEDED = "superseded", _("Superseded")
        WITHDRAWN = "withdrawn", _("Withdrawn")

    SEALED = (State.FROZEN, State.PUBLISHED, State.SUPERSEDED, State.WITHDRAWN)
    PUBLIC = (State.PUBLISHED, State.SUPERSEDED)

    edition_id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    region = models.ForeignKey(Region, models.PROTECT, related_name="editions", verbose_name=_("region"))
    year = models.PositiveSmallIntegerField(_("year"))
    version = models.PositiveIntegerField(_("version"))
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.DRAFT)
    based_on = models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, related_name="followers", verbose_name=_("based on")
    )
    supersedes = models.OneToOneField(
        "self", models.PROTECT, null=True, blank=True, related_name="superseded_by", verbose_name=_("supersedes")
    )
    area = models.ForeignKey(
        MonitoredArea, models.PROTECT, null=True, blank=True, related_name="editions", verbose_name=_("monitored area")
    )
    runs = models.ManyToManyField(InterpretationRun, related_name="editions", blank=True, verbose_name=_("runs"))
    is_opening = models.BooleanField(_("opening book imported from earlier polygons"), default=False)
    params = models.JSONField(_("parameters"), default=dict, blank=True)
    inputs = models.JSONField(_("inputs with their hashes"), default=dict, blank=True)
    results = models.JSONField(_("coverage, bias, checks"), default=dict, blank=True)
    computed_at = models.DateTimeField(_("computed"), null=True, blank=True)
    content_sha256 = models.CharField(_("content SHA-256"), max_length=64, blank=True)
    content_format = models.PositiveSmallIntegerField(_("format of the hashed content"), default=FORMAT)
    code_version = models.CharField(_("code version"), max_length=40, blank=True)
    job = models.ForeignKey(Job, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("job"))
    change_note = models.TextField(_("change note"), blank=True)
    withdrawn_reason = models.TextField(_("reason of the withdrawal"), blank=True)
    signed_bias = models.BooleanField(_("published in spite of the measured bias"), default=False)
    lock = models.PositiveIntegerField(_("revision of the row"), default=1)
    created_by = _person(_("created by"))
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    frozen_by = _person(_("frozen by"))
    frozen_at = models.DateTimeField(_("frozen"), null=True, blank=True)
    published_by = _person(_("published by"))
    published_at = models.DateTimeField(_("published"), null=True, blank=True)

    objects = BooksQuerySet.as_manager()

    class Meta:
        verbose_name = _("edition")
        verbose_name_plural = _("editions")
        ordering = ["-year", "-version"]
        constraints = [
            models.UniqueConstraint(fields=["region", "year", "version"], name="edition_version_once"),
            models.UniqueConstraint(
                fields=["region", "year"], condition=Q(state="published"), name="one_published_edition_per_year"
            ),
            models.UniqueConstraint(
                fields=["region", "year"], condition=Q(state__in=["draft", "frozen"]), name="one_open_edition_per_year"
            ),
            models.CheckConstraint(
                condition=Q(state__in=["draft", "withdrawn"]) | ~Q(content_sha256=""), name="sealed_edition_has_a_hash"
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["published", "superseded"]) | Q(published_by__isnull=False),
                name="published_edition_names_its_publisher",
            ),
            models.CheckConstraint(
                condition=~Q(state="withdrawn") | ~Q(withdrawn_reason=""), name="withdrawn_edition_names_its_reason"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.region} {self.year} v{self.version}"

    @property
    def is_sealed(self) -> bool:
        """Its numbers are locked."""
        return self.state in self.SEALED


class ChangePiece(models.Model):
    """Adjacent cells of one mine that changed in the same way and are decided together."""

    class Kind(models.TextChoices):
        """What is to be decided."""

        NEW = "new", _("Newly seen damage")
        RELEASED = "released", _("Damage not seen any more")

    piece_id = models.BigAutoField(primary_key=True)
    edition = models.ForeignKey(Edition, models.CASCADE, related_name="pieces", verbose_name=_("edition"))
    mine = models.ForeignKey(
        Mine, models.PROTECT, null=True, blank=True, related_name="change_pieces", verbose_name=_("mine")
    )
    kind = models.CharField(_("kind"), max_length=8, choices=Kind.choices)
    prev_kind = models.CharField(_("damage kind before"), max_length=10, blank=True)
    obs_kind = models.CharField(_("damage kind seen"), max_length=10, blank=True)
    prev_state = models.CharField(_("largest state before"), max_length=20, choices=STATE_CODES)
    obs_state = models.CharField(_("largest class seen"), max_length=20, choices=STATE_CODES)
    area_cm2 = models.BigIntegerField(_("area (cm²)"))
    geom = models.MultiPolygonField(_("outline"), srid=SRID)
    geometry_sha256 = models.CharField(_("SHA-256 of the outline"), max_length=64)
    confidence = models.FloatField(_("confidence"), null=True, blank=True)
    prev_on = models.DateField(_("imagery before"), null=True, blank=True)
    obs_on = models.DateField(_("imagery now"), null=True, blank=True)
    outside_licence = models.BooleanField(_("reaches beyond the licence boundary"), default=False)
    # The first of ``authors``, None where the model is the only one.
    author = _person(_("author"))
    decision = models.CharField(
        _("decision"), max_length=10, blank=True, choices=[c for c in FLOW_CODES if c[0] in sum(DECISIONS.values(), ())]
    )
    reason = models.TextField(_("reason"), blank=True)
    decided_by = _person(_("decided by"))
    decided_at = models.DateTimeField(_("decided"), null=True, blank=True)
    lock = models.PositiveIntegerField(_("revision of the row"), default=1)

    objects = EditionPartQuerySet.as_manager()

    class Meta:
        verbose_name = _("change")
        verbose_name_plural = _("changes")
        ordering = ["-area_cm2", "piece_id"]
        indexes = [models.Index(fields=["edition", "kind", "decision"])]
        constraints = [
            models.CheckConstraint(
                condition=Q(decision="")
                | Q(kind=PieceKind.NEW.value, decision__in=[d.value for d in DECISIONS[PieceKind.NEW]])
                | Q(kind=PieceKind.RELEASED.value, decision__in=[d.value for d in DECISIONS[PieceKind.RELEASED]]),
                name="piece_decision_fits_its_kind",
            ),
            models.CheckConstraint(
                condition=Q(decision="") | Q(decided_by__isnull=False, decided_at__isnull=False),
                name="piece_decision_names_its_reviewer",
            ),
            models.CheckConstraint(
                condition=Q(decided_by__isnull=True) | Q(author__isnull=True) | ~Q(decided_by=F("author")),
                name="piece_decided_by_other_eyes",
            ),
            models.CheckConstraint(
                condition=~Q(decision__in=["rejected", "corrected", "restored", "omission"]) | ~Q(reason=""),
                name="piece_decision_gives_its_reason",
            ),
            models.CheckConstraint(condition=Q(area_cm2__gte=0), name="piece_area_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.piece_id}"


class PieceAuthor(models.Model):
    """A person behind a change: drew or edited a patch of it, decided its water, or surveyed its subsidence."""

    piece = models.ForeignKey(ChangePiece, models.CASCADE, related_name="authors", verbose_name=_("change"))
    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("author"))

    class Meta:
        verbose_name = _("author of a change")
        verbose_name_plural = _("authors of changes")
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["piece", "person"], name="piece_author_once")]

    def __str__(self) -> str:
        return f"{self.person} {self.piece_id}"


class ChangeCell(models.Model):
    """The atom of the books: a face of the overlay with one history; every sum is a sum of these integers."""

    cell_id = models.BigAutoField(primary_key=True)
    edition = models.ForeignKey(Edition, models.CASCADE, related_name="cells", verbose_name=_("edition"))
    piece = models.ForeignKey(
        ChangePiece, models.CASCADE, null=True, blank=True, related_name="cells", verbose_name=_("change")
    )
    mine = models.ForeignKey(
        Mine, models.PROTECT, null=True, blank=True, related_name="change_cells", verbose_name=_("mine")
    )
    region = models.ForeignKey(
        Region, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("region")
    )
    geom = models.MultiPolygonField(_("outline"), srid=SRID)
    area_cm2 = models.BigIntegerField(_("area (cm²)"))
    prev_state = models.CharField(_("state before"), max_length=20, choices=STATE_CODES)
    obs_state = models.CharField(_("class seen"), max_length=20, choices=STATE_CODES)
    new_state = models.CharField(_("state now"), max_length=20, choices=STATE_CODES)
    flow = models.CharField(_("flow"), max_length=10, choices=FLOW_CODES)
    since_year = models.PositiveSmallIntegerField(_("last observed before this year"), null=True, blank=True)
    observed_year = models.PositiveSmallIntegerField(_("last observed"), null=True, blank=True)
    redamaged = models.BooleanField(_("had been restored"), default=False)
    outside_licence = models.BooleanField(_("beyond the licence boundary"), default=False)
    scene = models.ForeignKey(
        Scene, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("scene that shows it")
    )
    confidence = models.FloatField(_("confidence"), null=True, blank=True)
    vegetated_years = models.PositiveSmallIntegerField(_("years seen as vegetation while booked as damaged"), default=0)

    objects = EditionPartQuerySet.as_manager()

    class Meta:
        verbose_name = _("cell")
        verbose_name_plural = _("cells")
        ordering = ["cell_id"]
        indexes = [models.Index(fields=["edition", "flow"]), models.Index(fields=["edition", "mine"])]
        constraints = [models.CheckConstraint(condition=Q(area_cm2__gte=0), name="cell_area_not_negative")]

    def __str__(self) -> str:
        return f"{self.flow} {self.cell_id}"


class Evidence(models.Model):
    """A file that proves something: an acceptance document, a field photo, a pinned frame."""

    evidence_id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    region = models.ForeignKey(Region, models.PROTECT, related_name="+", verbose_name=_("region"))
    file_name = models.CharField(_("file name"), max_length=255)
    media_type = models.CharField(_("media type"), max_length=100)
    sha256 = models.CharField(_("SHA-256"), max_length=64)
    bytes = models.BigIntegerField(_("bytes"))
    note = models.CharField(_("note"), max_length=200, blank=True)
    uploaded_by = _person(_("uploaded by"))
    uploaded_at = models.DateTimeField(_("uploaded"), auto_now_add=True)

    objects = EvidenceQuerySet.as_manager()

    class Meta:
        verbose_name = _("evidence")
        verbose_name_plural = _("evidence")
        ordering = ["-uploaded_at"]
        constraints = [models.UniqueConstraint(fields=["region", "sha256"], name="evidence_once_per_region")]

    def __str__(self) -> str:
        return self.file_name


class Restoration(models.Model):
    """How damaged ground was brought back, with the evidence that a reviewer asked for."""

    class Kind(models.TextChoices):
        """The customary kinds, and the rest."""

        OPEN_PIT = "restored_open_pit", _("Restored open pit")
        DUMP = "restored_dump", _("Restored dump")
        INDUSTRIAL = "restored_industrial", _("Restored industrial square")
        SUBSIDENCE = "restored_subsidence", _("Restored subsidence")
        OTHER = "restored_other", _("Other restoration")

    class Mode(models.TextChoices):
        """Who did it."""

        ENGINEERED = "engineered", _("Engineered")
        NATURAL = "natural", _("Natural recovery")

    piece = models.OneToOneField(
        ChangePiece, models.CASCADE, related_name="restoration", verbose_name=_("change"), primary_key=True
    )
    restored_kind = models.CharField(_("kind"), max_length=20, choices=Kind.choices)
    mode = models.CharField(_("mode"), max_length=10, choices=Mode.choices)
    post_use = models.CharField(_("land use afterwards (GB/T 21010)"), max_length=10, blank=True)
    accepted_on = models.DateField(_("accepted on"), null=True, blank=True)
    evidence = models.ManyToManyField(Evidence, related_name="restorations", verbose_name=_("evidence"))

    objects = RestorationQuerySet.as_manager()

    class Meta:
        verbose_name = _("restoration")
        verbose_name_plural = _("restorations")

    def __str__(self) -> str:
        return f"{self.restored_kind} {self.pk}"


class Subsidence(models.Model):
    """Sunken ground, drawn by hand on evidence; counts from its survey year until it has ended."""

    class State(models.TextChoices):
        """Where the proposal stands."""

        DRAFT = "draft", _("Draft")
        SUBMITTED = "submitted", pgettext_lazy("subsidence", "Submitted")
        ACCEPTED = "accepted", _("Accepted")
        RETURNED = "returned", _("Returned")
        REJECTED = "rejected", pgettext_lazy("subsidence", "Rejected")

    subsidence_id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    region = models.ForeignKey(Region, models.PROTECT, related_name="+", verbose_name=_("region"))
    geom = models.MultiPolygonField(_("outline"), srid=SRID)
    area_cm2 = models.BigIntegerField(_("area (cm²)"))
    surveyed_on = models.DateField(_("surveyed on"))
    ended_on = models.DateField(_("ended on"), null=True, blank=True)
    method = models.CharField(_("method (field, InSAR, DEM difference, report)"), max_length=60, blank=True)
    evidence = models.ManyToManyField(Evidence, related_name="subsidence", blank=True, verbose_name=_("evidence"))
    state = models.CharField(_("state"), max_length=9, choices=State.choices, default=State.DRAFT)
    author = _person(_("author"))
    reviewer = _person(_("reviewer"))
    review_note = models.TextField(_("review note"), blank=True)
    lock = models.PositiveIntegerField(_("revision of the row"), default=1)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    objects = SubsidenceQuerySet.as_manager()

    class Meta:
        verbose_name = _("subsidence")
        verbose_name_plural = _("subsidence")
        ordering = ["-surveyed_on"]
        constraints = [
            models.CheckConstraint(
                condition=Q(reviewer__isnull=True) | ~Q(reviewer=F("author")), name="subsidence_reviewed_by_other_eyes"
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["accepted", "rejected", "returned"]) | Q(reviewer__isnull=False),
                name="reviewed_subsidence_names_its_reviewer",
            ),
            models.CheckConstraint(condition=Q(area_cm2__gt=0), name="subsidence_area_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.surveyed_on} {self.subsidence_id}"


class ObservationMask(models.Model):
    """The ground of a scene that was validly observed: footprint without nodata, cloud, shadow, snow."""

    class Method(models.TextChoices):
        """Where the outline comes from."""

        FOOTPRINT = "footprint", _("Footprint only")
        AUTOMATIC = "automatic", _("Automatic")
        MANUAL = "manual", _("Corrected by hand")

    scene = models.OneToOneField(
        Scene, models.CASCADE, related_name="observation", primary_key=True, verbose_name=_("scene")
    )
    geom = models.MultiPolygonField(_("observed ground"), srid=SRID)
    method = models.CharField(_("method"), max_length=9, choices=Method.choices)
    cloud_share = models.FloatField(_("cloud share of the footprint"), default=0.0)
    shadow_share = models.FloatField(_("cloud-shadow share of the footprint"), default=0.0)
    params = models.JSONField(_("parameters"), default=dict, blank=True)
    edited_by = _person(_("edited by"))
    updated_at = models.DateTimeField(_("updated"), auto_now=True)
    lock = models.PositiveIntegerField(_("revision of the row"), default=1)

    objects = SceneScopedQuerySet.as_manager()

    class Meta:
        verbose_name = _("observation mask")
        verbose_name_plural = _("observation masks")

    def __str__(self) -> str:
        return str(self.scene)


class ControlPolygon(models.Model):
    """Ground known not to change (unmined ground, inactive pits): what changes there measures the sensors' bias."""

    region = models.ForeignKey(Region, models.PROTECT, related_name="control_polygons", verbose_name=_("region"))
    geom = models.MultiPolygonField(_("outline"), srid=SRID)
    note = models.CharField(_("note"), max_length=200, blank=True)
    created_by = _person(_("created by"))
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    objects = BooksQuerySet.as_manager()

    class Meta:
        verbose_name = _("control polygon")
        verbose_name_plural = _("control polygons")
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.region} {self.pk}"


class CheckSample(models.Model):
    """A stratified random sample of points that two people label on the image, to measure the map's accuracy."""

    sample_id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    edition = models.ForeignKey(Edition, models.CASCADE, related_name="samples", verbose_name=_("edition"))
    seed = models.PositiveIntegerField(_("seed"))
    strata = models.JSONField(_("strata: class, mapped area, points"), default=list)
    results = models.JSONField(_("error matrix and adjusted areas"), default=dict, blank=True)
    created_by = _person(_("created by"))
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    objects = SampleQuerySet.as_manager()

    class Meta:
        verbose_name = _("check sample")
        verbose_name_plural = _("check samples")
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.edition} #{self.seed}"


class CheckPoint(models.Model):
    """A point of a check sample; the map's class stays hidden from those who label it."""

    sample = models.ForeignKey(CheckSample, models.CASCADE, related_name="points", verbose_name=_("check sample"))
    number = models.PositiveIntegerField(_("number"))
    stratum = models.CharField(_("class on the map"), max_length=20)
    geom = models.PointField(_("place"), srid=SRID)
    first_label = models.CharField(_("first label"), max_length=20, blank=True)
    first_by = _person(_("first labeller"))
    second_label = models.CharField(_("second label"), max_length=20, blank=True)
    second_by = _person(_("second labeller"))
    agreed_label = models.CharField(_("agreed label"), max_length=20, blank=True)
    agreed_by = _person(_("settled by"))

    objects = PointQuerySet.as_manager()

    class Meta:
        verbose_name = _("check point")
        verbose_name_plural = _("check points")
        ordering = ["sample", "number"]
        constraints = [
            models.UniqueConstraint(fields=["sample", "number"], name="check_point_number_once"),
            models.CheckConstraint(
                condition=Q(second_by__isnull=True) | Q(first_by__isnull=True) | ~Q(second_by=F("first_by")),
                name="check_point_labelled_by_two_people",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.sample} {self.number}"


class Delivery(models.Model):
    """A file made from an edition by a job: the report's zip, or vectors in one format."""

    class Kind(models.TextChoices):
        """What it is."""

        REPORT = "report", _("Report")
        VECTORS = "vectors", _("Vectors")

    delivery_id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    edition = models.ForeignKey(Edition, models.CASCADE, related_name="deliveries", verbose_name=_("edition"))
    kind = models.CharField(_("kind"), max_length=8, choices=Kind.choices)
    options = models.JSONField(_("options"), default=dict, blank=True)
    job = models.OneToOneField(
        Job, models.SET_NULL, null=True, blank=True, related_name="delivery", verbose_name=_("job")
    )
    file_name = models.CharField(_("file name"), max_length=255, blank=True)
    sha256 = models.CharField(_("SHA-256"), max_length=64, blank=True)
    bytes = models.BigIntegerField(_("bytes"), null=True, blank=True)
    created_by = _person(_("created by"))
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    objects = EditionPartQuerySet.as_manager()

    class Meta:
        verbose_name = _("delivery")
        verbose_name_plural = _("deliveries")
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return self.file_name or str(self.delivery_id)
