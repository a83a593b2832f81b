"""Writes about sample sets: asking for one, the job that builds it, where its folder lies."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

import shapely
from django.conf import settings
from django.db import transaction
from django.db.models import Max
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from landdamage.interchange.classes import Choices
from landdamage.learning.samples import sampleset
from landdamage.learning.samples.build import build
from landdamage.learning.samples.images import ImageSource, safe_name
from landdamage.learning.samples.imports import PolygonFile, read_polygons
from landdamage.learning.samples.material import Material, PolygonMaterial, RasterMaterial
from landdamage.learning.samples.params import Params
from landdamage.learning.superpixels.raster import label_raster
from landdamage.models import LabelSheet, SampleSet, Scene
from landdamage.selectors.accepted import Accepted, accepted_ground, mine_ground, models_used, scenes_below
from landdamage.selectors.labelling import labelled_sheets, windows_of
from landdamage.services.files import file_path, files
from landdamage.services.observation import observation_of
from minegis.access.models import User
from minegis.access.permissions import Action, require
from minegis.errors import MineGISError, SampleSetError
from minegis.files import folder_path, folder_share
from minegis.jobs.models import Job
from minegis.jobs.runner import JobContext
from minegis.jobs.services import job_submit
from minegis.registry.models import Region

Kind = SampleSet.Kind
PREVIEWS = 12  # tiles that the page shows
ANSWERS = ("layer", "crs", "encoding", "column", "mapping")  # of a polygon file
_ALLOWED = {
    Kind.PATCHES: ("since", "years"),
    Kind.VECTORS: ("scenes", "years", "surveyed", *ANSWERS),
    Kind.LABELS: ("scenes", "years"),
}


@transaction.atomic
def sample_set_request(
    *,
    region: Region,
    user: User,
    name: str,
    kind: str,
    source: Mapping[str, Any] | None = None,
    params: Mapping[str, Any] | None = None,
    file: Path | None = None,
    file_name: str = "",
) -> SampleSet:
    """Write down a sample set and queue its building; another one of the same name becomes its next version.

    Args:
        region: whose scenes and labels; it decides who sees the set.
        user: who wants it.
        name: of the set.
        kind: ``patches`` (accepted ones), ``vectors`` (a polygon file) or ``labels`` (what people said on superpixels).
        source: of patches: since (ISO date or moment, or ``model@version`` for when that model first ran), years; of
            vectors: scenes (ids) or years, surveyed (the mines' ground counts as surveyed), layer, crs, encoding,
            column, mapping; of labels: scenes (ids) or years. The sheets and their versions are written down.
        params: see ``Params``.
        file: the polygon file, which is kept.
        file_name: its owner's name for it.

    Raises:
        ForbiddenError: the user may not build sample sets in the region.
        SampleSetError: E-SET-24 a parameter or source is not valid; E-SET-27 no scene is left.
        MineGISError: the first error of the polygon file; E-LAB-05 nothing is labelled on superpixels.
    """
    require(user, Action.BUILD_SAMPLE_SET, region)
    if not name.strip():
        raise SampleSetError("E-SET-24", value="name", known="1-80")
    chosen = Params.from_dict(params or {})
    about = _checked_source(kind, source or {}, region, chosen)
    if kind == Kind.VECTORS:
        if file is None:
            raise SampleSetError("E-SET-24", value="file", known="GPKG, GeoJSON, ZIP")
        checked = polygon_file(path=file, name=file_name, source=about)
        for finding in checked.findings:
            if finding.severity == "error":
                raise MineGISError(finding.code, **finding.values)
        about |= {"file_sha256": files().put(file).sha256, "file_name": file_name or file.name}
    if kind == Kind.LABELS:
        sheets = labelled_sheets(region, about.get("years", ()), about.get("scenes", ()))
        if not sheets:
            raise MineGISError("E-LAB-05")
        about |= {"sheets": [[sheet.pk, sheet.version] for sheet in sheets]}
    elif not _scenes(region, kind, about):
        raise SampleSetError("E-SET-27")
    # The row is locked so that two requests at once get two versions.
    Region.objects.select_for_update(of=("self",)).get(pk=region.pk)
    last = SampleSet.objects.filter(region=region, name=name.strip()).aggregate(last=Max("version"))["last"] or 0
    made = SampleSet.objects.create(
        name=name.strip()[:80],
        version=last + 1,
        region=region,
        kind=kind,
        source=about,
        params=chosen.as_dict(),
        leaky=chosen.split == "s2",
        created_by=user,
    )
    made.job = job_submit(
        kind="sample_set", params={"set_id": str(made.pk)}, created_by=user, region=region, title=str(made)
    )
    made.save(update_fields=["job"])
    return made


def polygon_file(*, path: Path, name: str, source: Mapping[str, Any]) -> PolygonFile:
    """Read a polygon file with the answers a person gave, and everything that is wrong with it."""
    answers = {key: source[key] for key in ANSWERS if key in source}
    return read_polygons(path, name=name, choices=Choices(**answers))


def _checked_source(kind: str, source: Mapping[str, Any], region: Region, params: Params) -> dict[str, Any]:
    """The source with its moments and years in plain values."""
    if kind not in _ALLOWED:
        raise SampleSetError("E-SET-24", value=f"kind={kind}", known=", ".join(_ALLOWED))
    unknown = sorted(set(source) - set(_ALLOWED[Kind(kind)]))
    if unknown:
        raise SampleSetError("E-SET-24", value=", ".join(unknown), known=", ".join(_ALLOWED[Kind(kind)]))
    made = {key: value for key, value in source.items() if value not in ("", None, [], {})}
    try:
        made |= {"years": sorted({int(year) for year in made["years"]})} if "years" in made else {}
        made |= {"scenes": [str(UUID(str(key))) for key in made["scenes"]]} if "scenes" in made else {}
    except (TypeError, ValueError):
        raise SampleSetError("E-SET-24", value="years, scenes", known="2023; UUID") from None
    if "since" in made:
        moment = since_moment(str(made["since"]), region)
        made |= {"since": moment.isoformat(), "since_said": str(made["since"])}
    if params.regions == "mine" and not mine_ground(region):
        raise SampleSetError("E-SET-24", value="regions=mine", known="cell, image")
    return made


def since_moment(text: str, region: Region) -> dt.datetime:
    """The moment a person means: a date, a moment, or ``name@version`` of a model for when it first ran here.

    Raises:
        SampleSetError: E-SET-24, none of these.
    """
    used = models_used(region)
    for name, version, first in used:
        if text in (f"{name}@{version}", name):
            return first
    try:
        moment = parse_datetime(text)
        day = None if moment else parse_date(text)
    except ValueError:
        moment = day = None
    if moment is None and day is not None:
        moment = dt.datetime.combine(day, dt.time())
    if moment is None:
        known = ", ".join(["2026-01-31", *(f"{name}@{version}" for name, version, _ in used[:5])])
        raise SampleSetError("E-SET-24", value=f"since={text}", known=known)
    return moment if timezone.is_aware(moment) else timezone.make_aware(moment)


def _scenes(region: Region, kind: str, source: Mapping[str, Any]) -> list[Scene]:
    """Scenes of a set; of patches those that hold settled ground."""
    if kind == Kind.PATCHES:
        return list(_accepted(region, source).scenes.values())
    found = scenes_below(region)
    if "scenes" in source:
        found = found.filter(pk__in=source["scenes"])
    if "years" in source:
        found = found.filter(acquired_on__year__in=source["years"])
    return list(found)


def _accepted(region: Region, source: Mapping[str, Any]) -> Accepted:
    since = dt.datetime.fromisoformat(source["since"]) if "since" in source else None
    return accepted_ground(region, since=since, years=source.get("years", ()))


def image_of_scene(scene: Scene) -> ImageSource:
    """A scene as a source of tiles; ground its observation mask leaves out is not labelled."""
    sensor = " ".join(part for part in (scene.satellite.replace("OTHER", ""), scene.sensor) if part)
    return ImageSource(
        safe_name(f"{Path(scene.file_name).stem[:60]}-{scene.pk.hex[:8]}"),
        file_path(scene.cog_sha256),
        tuple(scene.bands),
        tuple(range(1, len(scene.bands) + 1)),
        sensor=sensor,
        acquired=scene.acquired_on,
        observed=shapely.from_wkb(bytes(observation_of(scene).geom.wkb)),
        sha256=scene.cog_sha256,
    )


def patch_material(region: Region, source: Mapping[str, Any]) -> PolygonMaterial:
    """Accepted patches and decided changes of a region's scenes.

    Raises:
        SampleSetError: E-SET-01, nothing has been accepted.
    """
    accepted = _accepted(region, source)
    if not accepted.scenes:
        raise SampleSetError("E-SET-01")
    images = {key: image_of_scene(scene) for key, scene in accepted.scenes.items()}
    names = {key: image.name for key, image in images.items()}
    surveyed = [shape for _, shape in mine_ground(region)] if accepted.surveyed else []
    return PolygonMaterial(
        list(images.values()),
        [accepted.layer(names)],
        surveyed=surveyed,
        surveyed_on={names[key] for key in accepted.surveyed},
        kind=Kind.PATCHES.value,
    )


def vector_material(region: Region, source: Mapping[str, Any]) -> PolygonMaterial:
    """A stored polygon file on the chosen scenes.

    Raises:
        MineGISError: the first error of the file.
    """
    checked = polygon_file(path=file_path(source["file_sha256"]), name=source["file_name"], source=source)
    if checked.layer is None:
        fault = next(finding for finding in checked.findings if finding.severity == "error")
        raise MineGISError(fault.code, **fault.values)
    images = [image_of_scene(scene) for scene in _scenes(region, Kind.VECTORS, source)]
    surveyed = [shape for _, shape in mine_ground(region)] if source.get("surveyed") else []
    return PolygonMaterial(images, [checked.layer], surveyed=surveyed, kind=Kind.VECTORS.value)


def label_material(source: Mapping[str, Any], folder: Path) -> RasterMaterial:
    """What people said on superpixels, as rasters written into a folder; where two differ it is unlabelled."""
    versions = dict(source["sheets"])
    rows = LabelSheet.objects.filter(pk__in=versions).select_related("plate__scene").order_by("pk")
    by_scene: dict[UUID, list[LabelSheet]] = {}
    for sheet in rows:
        by_scene.setdefault(sheet.plate.scene_id, []).append(sheet)
    images, rasters = [], {}
    folder.mkdir(parents=True, exist_ok=True)
    for sheets in by_scene.values():
        image = image_of_scene(sheets[0].plate.scene)
        images.append(image)
        rasters[image.name] = folder / f"{image.name}.tif"
        windows = windows_of((sheet, versions[sheet.pk]) for sheet in sheets)
        label_raster(image.path, rasters[image.name], windows)
    return RasterMaterial(images, rasters, kind=Kind.LABELS.value)


def material_of(row: SampleSet, folder: Path) -> Material:
    """What a set is made of; ``folder`` takes files that are made for it."""
    if row.kind == Kind.LABELS:
        return label_material(row.source, folder)
    if row.kind == Kind.PATCHES:
        return patch_material(row.region, row.source)
    return vector_material(row.region, row.source)


def sample_set_build(context: JobContext) -> None:
    """The sample_set job: cut, prove, move the folder to its place, make the row ready in one transaction.

    Tiles and notes in the job's folder survive an attempt, so a later one cuts only the rest.
    """
    from landdamage.services.trainings import trainings_go_on  # it stands on this module

    row = SampleSet.objects.select_related("region").get(pk=context.params["set_id"])
    done = context.workdir / "set"
    if (done / sampleset.INDEX).exists():
        made = sampleset.SampleSet.open(done)
    else:
        named = mine_ground(row.region) if row.params.get("regions") == "mine" else []
        made = build(
            material_of(row, context.workdir / "labels"),
            Params.from_dict(row.params),
            done,
            name=str(row),
            named=named,
            work=context.workdir / "part",
            progress=context.progress,
        )
    context.progress("keep", 0.98)
    folder_share(done, _name(made.sha256))
    size = sum(path.stat().st_size for path in done.rglob("*") if path.is_file())
    counts = {name: len(made.of(name)) for name in made.params.sets}
    report = {**made.report, "preview": _preview(made), "tiles": counts}
    with context.publish():
        _keep(done, Path(settings.STORAGE_ROOT) / _name(made.sha256))
        SampleSet.objects.filter(pk=row.pk).update(
            state=SampleSet.State.READY,
            sha256=made.sha256,
            tiles=len(made.tiles),
            bytes=size,
            leaky=made.leaky,
            table=made.table,
            report=report,
            findings=made.findings,
            built_at=timezone.now(),
        )
        row.refresh_from_db()
        trainings_go_on(sample_set=row)
        context.result |= {"tiles": len(made.tiles), "sha256": made.sha256}


def _keep(done: Path, target: Path) -> None:
    """Give a finished folder its place; one of the same hash holds the same tiles already."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.exists():
        shutil.move(done, target)


def _preview(made: sampleset.SampleSet) -> list[str]:
    """Tiles that show the set: of every set those of its rarest classes first, each image at most twice."""
    total = {row["class_id"]: row["originals"]["pixels"] for row in made.table if row["originals"]}
    rarest = sorted((pixels, class_id) for class_id, pixels in total.items() if pixels)
    chosen: list[str] = []
    for _, class_id in rarest * PREVIEWS:
        for name in made.params.sets:
            best = max(
                (tile for tile in made.of(name) if tile.id not in chosen and tile.pixels[class_id]),
                key=lambda tile: (-sum(one.startswith(tile.image) for one in chosen), tile.pixels[class_id]),
                default=None,
            )
            if best is not None and len(chosen) < PREVIEWS:
                chosen.append(best.id)
        if len(chosen) >= PREVIEWS:
            break
    return sorted(chosen)


def sample_set_folder(sha256: str) -> Path:
    """Where the tiles of a ready set lie; the trainer's ``load_scenes`` reads them from here."""
    return folder_path(_name(sha256))


def _name(sha256: str) -> str:
    return f"samples/{sha256}"


def sample_set_job_retried(job: Job) -> None:
    """A retried job puts its set back to be built."""
    SampleSet.objects.filter(pk=job.params["set_id"], state=SampleSet.State.FAILED).update(
        state=SampleSet.State.BUILDING
    )


def sample_set_job_ended(job: Job) -> None:
    """A job that failed or was cancelled leaves a failed set that says why."""
    if job.state in (Job.State.FAILED, Job.State.CANCELLED):
        SampleSet.objects.filter(pk=job.params["set_id"]).exclude(state=SampleSet.State.READY).update(
            state=SampleSet.State.FAILED
        )
