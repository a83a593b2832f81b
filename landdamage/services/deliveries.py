"""Files made of an edition by a job: the report with everything that belongs to it, or vectors in one format."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.db.models.fields.json import KT

from landdamage.interchange.write import ENCODINGS, FORMATS, GRIDS, write_vectors
from landdamage.models import ChangePiece, Delivery, Edition
from landdamage.selectors.chips import piece_chips
from landdamage.selectors.editions import edition_data, editions_visible
from landdamage.services.files import file_path, files
from minegis.access.models import User
from minegis.access.permissions import Action, allowed, require
from minegis.errors import MineGISError
from minegis.jobs.runner import JobContext
from minegis.jobs.services import job_submit

if TYPE_CHECKING:
    from landdamage.reports.bundle import Options

MAKERS = ("unit", "author", "checker", "secrecy", "approval_no")
MOST_SHEETS = 500  # of maps and of evidence each: a page takes seconds
_ANY_STATE = (Action.BUILD_EDITION, Action.PUBLISH_EDITION, Action.DECIDE_FLOW)  # who may have reports of drafts
Kind = Delivery.Kind


@transaction.atomic
def delivery_request(
    *, edition: Edition, user: User, kind: str = Kind.REPORT, options: dict[str, Any] | None = None
) -> Delivery:
    """Queue a delivery.

    Args:
        edition: of which; drafts only for those who work on them.
        user: who wants it; it says what they may know.
        kind: ``report`` or ``vectors``.
        options: report: language, map_sheets, evidence_sheets, and the makers (unit, author, checker, secrecy,
            approval_no); vectors: format, encoding, crs. Whatever is left out takes its default.

    Raises:
        ForbiddenError: the user may not have it.
        MineGISError: E-API-04 the edition is not theirs to see, E-DEL-01 it has not been computed, E-DEL-02 an option.
    """
    _require(user, edition, kind)
    if edition.computed_at is None:
        raise MineGISError("E-DEL-01")
    delivery = Delivery.objects.create(
        edition=edition, kind=kind, options=_checked(kind, options or {}, user, edition), created_by=user
    )
    delivery.job = job_submit(
        kind="deliver",
        params={"delivery_id": str(delivery.pk)},
        created_by=user,
        region=edition.region,
        title=f"{edition} · {Kind(kind).label}",
    )
    delivery.save(update_fields=["job"])
    return delivery


def deliveries_visible(user: User) -> QuerySet[Delivery]:
    """Deliveries of the editions a person may see, without files of a draft that has been sealed or reopened since.

    What was made of a draft may hold other numbers than the edition that came of it.
    """
    editions = editions_visible(user).values("pk")
    found = Delivery.objects.filter(edition__in=editions).select_related("edition__region", "job", "created_by")
    return found.annotate(made_of=KT("options__content_sha256")).filter(
        Q(sha256="") | Q(made_of=F("edition__content_sha256"))
    )


def delivery_file(*, delivery: Delivery, user: User) -> Path:
    """The finished file, for those who could have asked for the same one.

    Raises:
        ForbiddenError: it holds what the user may not know.
        MineGISError: E-API-04 not theirs to see, E-DEL-03 it is not ready.
    """
    _require(user, delivery.edition, delivery.kind)
    region = delivery.edition.region
    if delivery.options.get("vectors") and delivery.kind == Kind.REPORT and not _may_export(user, delivery.edition):
        require(user, Action.EXPORT_VECTORS, region)
    for name, action in (("licences", Action.READ_LICENCE), ("outside", Action.READ_OUTSIDE_LICENCE)):
        if delivery.options.get(name):
            require(user, action, region)
    if not delivery.sha256:
        raise MineGISError("E-DEL-03")
    return file_path(delivery.sha256)


def _require(user: User, edition: Edition, kind: str) -> None:
    if not editions_visible(user).filter(pk=edition.pk).exists():
        raise MineGISError("E-API-04")
    if kind == Kind.VECTORS and not _may_export(user, edition):
        require(user, Action.EXPORT_VECTORS, edition.region)
    if any(allowed(user, action, edition.region) for action in _ANY_STATE):
        return
    if kind == Kind.REPORT and edition.state not in Edition.PUBLIC:
        require(user, Action.BUILD_EDITION, edition.region)
    require(user, Action.READ_PUBLISHED, edition.region)


def _may_export(user: User, edition: Edition) -> bool:
    published = edition.state in Edition.PUBLIC and allowed(user, Action.EXPORT_PUBLISHED, edition.region)
    return published or allowed(user, Action.EXPORT_VECTORS, edition.region)


def _checked(kind: str, options: dict[str, Any], user: User, edition: Edition) -> dict[str, Any]:
    """Options with defaults, and what the requester may know: a file tells all who get it."""
    if kind == Kind.VECTORS:
        made: dict[str, Any] = {"format": "gpkg", "encoding": "utf-8", "crs": "4490"}
        known: dict[str, tuple[Any, ...]] = {"format": FORMATS, "encoding": ENCODINGS, "crs": GRIDS}
    else:
        made = {"language": "zh", "map_sheets": 30, "evidence_sheets": 100} | dict.fromkeys(MAKERS, "")
        sheets = tuple(range(MOST_SHEETS + 1))
        known = {"language": ("zh", "en"), "map_sheets": sheets, "evidence_sheets": sheets}
    for name, value in options.items():
        text = name in MAKERS and isinstance(value, str) and len(value) <= 100
        if name not in made or not (text or value in known.get(name, ())):
            raise MineGISError("E-DEL-02", value=f"{name}={value}"[:200])
    made |= options
    made["licences"] = allowed(user, Action.READ_LICENCE, edition.region)
    made["outside"] = allowed(user, Action.READ_OUTSIDE_LICENCE, edition.region)
    made["vectors"] = kind == Kind.VECTORS or _may_export(user, edition)
    return made


def report_options(options: dict[str, Any]) -> Options:
    """What the report is to hold, from stored options."""
    from landdamage.reports.bundle import Options
    from landdamage.reports.document import Makers

    return Options(
        language=options["language"],
        makers=Makers(**{name: options.get(name, "") for name in MAKERS}),
        map_sheets=options["map_sheets"],
        evidence_sheets=options["evidence_sheets"],
        vectors=options["vectors"],
    )


def deliver_run(context: JobContext) -> None:
    """The deliver job: read the edition with its requester's eyes, make the file, keep it."""
    from landdamage.reports.bundle import bundle_name, write_bundle  # typesetting is loaded in the worker only

    delivery = Delivery.objects.select_related("edition__region", "created_by").get(pk=context.params["delivery_id"])
    folder = context.workdir / "delivery"
    shutil.rmtree(folder, ignore_errors=True)  # of an attempt that died
    folder.mkdir(parents=True)
    context.progress("read", 0.0)
    user, options = delivery.created_by, delivery.options
    data = edition_data(delivery.edition, user)
    if delivery.kind == Kind.VECTORS:
        context.progress("vectors", 0.2)
        path = write_vectors(data, folder, options["format"], options["encoding"], options["crs"])
        name = path.name
    else:

        def chips(piece_id: int) -> tuple[bytes | None, bytes | None]:
            return piece_chips(ChangePiece.objects.select_related("edition").get(pk=piece_id), user)

        path = write_bundle(data, folder, report_options(options), chips=chips, progress=context.progress)
        name = bundle_name(data)
    context.progress("keep", 0.97)
    stored = files().put(path)
    with context.publish():
        Delivery.objects.filter(pk=delivery.pk).update(
            file_name=name,
            sha256=stored.sha256,
            bytes=stored.bytes,
            options=options | {"content_sha256": delivery.edition.content_sha256},
        )
