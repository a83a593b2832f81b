"""The demonstration district: accounts, register, scenes sent in over HTTP, and the table of true and found areas.

Called by ``make demo`` only. Idempotent: what is there already stays as it is.
"""

from __future__ import annotations

import hashlib
import secrets
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import shapely
from django.conf import settings
from django.contrib.gis.geos import GEOSGeometry, MultiPolygon
from django.db import transaction
from knox.models import get_token_model
from tusclient.client import TusClient

from landdamage import selectors, taxonomy
from landdamage.interchange.hydrography import read_hydrography
from landdamage.interpretation.water import propose_water_origin
from landdamage.models import Hydrography, ObservationMask, Scene
from landdamage.services.hydrography import file_sha256, hydrography_import
from landdamage.simulation.district import District
from minegis import units
from minegis.access.models import Membership, Role, User
from minegis.jobs.models import Job
from minegis.jobs.services import job_retry
from minegis.registry.models import SRID, Mine, Region
from minegis.registry.services import influence_zone

SEED = 7
YEARS = (2021, 2022, 2023)
REGION = ("652300", "昌吉回族自治州(演示)", "Changji (demo)")
ACCOUNTS = (
    ("uploader", Role.UPLOADER, "外业上传员"),
    ("interpreter", Role.INTERPRETER, "解译员"),
    ("reviewer", Role.REVIEWER, "审核员"),
    ("analyst", Role.ANALYST, "统计分析员"),
    ("manager", Role.MANAGER, "管理负责人"),
    ("admin", Role.ADMIN, "系统管理员"),
    ("viewer", Role.VIEWER, "查阅员"),
)
CHUNK = 8 * 2**20


@dataclass(frozen=True, slots=True)
class Comparison:
    """True and found area of one class or damage kind in one year, in cm²."""

    year: int
    code: str
    zh: str
    en: str
    true_cm2: int
    found_cm2: int

    @property
    def difference(self) -> float | None:
        """(found - true) / true; None where there is nothing true."""
        return (self.found_cm2 - self.true_cm2) / self.true_cm2 if self.true_cm2 else None


def password() -> str:
    """The password of every demonstration account: made once per installation, kept beside the storage."""
    path = settings.STORAGE_ROOT.parent / "demo-password"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        part.unlink(missing_ok=True)
        part.touch(mode=0o600)
        part.write_text(secrets.token_urlsafe(9))
        part.replace(path)  # complete or not there at all
    return path.read_text().strip()


def district_files(progress: Callable[[str], None]) -> Path:
    """Simulate the district once; returns the folder of its files."""
    folder = settings.STORAGE_ROOT.parent / "demo" / f"district-{SEED}"
    names = [
        "region.gpkg",
        "hydrography.gpkg",
        *(f"{part}_{year}.gpkg" for part in ("truth", "observed") for year in YEARS),
    ]
    if not all((folder / name).exists() for name in names):
        District(SEED, years=YEARS).write(folder, progress)
    return folder


def _multi(geometry: shapely.Geometry) -> MultiPolygon:
    geos = GEOSGeometry(memoryview(shapely.to_wkb(geometry)), srid=SRID)
    return geos if isinstance(geos, MultiPolygon) else MultiPolygon(geos, srid=SRID)


@transaction.atomic
def register(folder: Path) -> Region:
    """Region, mines and accounts of the demonstration."""
    outline = gpd.read_file(folder / "region.gpkg").to_crs(SRID).geometry.iloc[0]
    code, zh, en = REGION
    region, _ = Region.objects.update_or_create(
        code=code,
        valid_from=None,
        defaults={"name_zh": zh, "name_en": en, "level": Region.Level.PREFECTURE, "geom": _multi(outline.buffer(0.02))},
    )
    for row in gpd.read_file(folder / "mines.gpkg").to_crs(SRID).itertuples():
        boundary = _multi(row.geometry)
        Mine.objects.update_or_create(
            code=row.code,
            defaults={
                "name_zh": row.name_zh,
                "name_en": row.name_en,
                "mineral_kind": Mine.MineralKind.METAL,
                "mineral_name": "铁",
                "mining_method": Mine.Method.OPEN_PIT,
                "boundary": boundary,
                "influence_zone": influence_zone(boundary),
                "region": region,
            },
        )
    _waters(region, folder / "hydrography.gpkg")
    for name, role, display in ACCOUNTS:
        user, created = User.objects.get_or_create(
            username=name, defaults={"display_name": display, "is_staff": role == Role.ADMIN}
        )
        if created or not user.check_password(password()):
            user.set_password(password())
            user.save()
        # Accounts belong to no region, so only an administrator of all regions manages them.
        Membership.objects.get_or_create(user=user, role=role, region=None if role == Role.ADMIN else region)
    return region


def _waters(region: Region, path: Path) -> None:
    """The river as the map has it, once."""
    sha256 = file_sha256(path)
    if Hydrography.objects.filter(region=region).exists():
        return
    read = read_hydrography(path, name=path.name)
    assert read.frame is not None, read.findings  # our own file
    hydrography_import(region=region, frame=read.frame, source="simulated district", sha256=sha256, user=None)


def send_scenes(folder: Path, base_url: str, progress: Callable[[str], None]) -> list[Scene]:
    """Upload each year's scene over HTTP as the field uploader would; scenes already here are left alone."""
    uploader = User.objects.get(username="uploader")
    scenes = []
    for year in YEARS:
        path = folder / f"scene_{year}.tif"
        sha256 = _sha256(path)
        if not Scene.objects.filter(sha256=sha256).exclude(state=Scene.State.REJECTED).exists():
            _, token = get_token_model().objects.create(user=uploader)
            client = TusClient(f"{base_url}/api/v1/uploads/", headers={"Authorization": f"Token {token}"})
            metadata = {"filename": f"DEMO_{year}_2m_BGRN.tif", "sha256": sha256}
            client.uploader(str(path), chunk_size=CHUNK, metadata=metadata).upload()
            progress(path.name)
        scenes.append(Scene.objects.get(sha256=sha256))
    return scenes


def pit(folder: Path) -> tuple[float, float]:
    """Longitude and latitude in the largest open pit of a licensed mine well within the last year's scene."""
    truth = gpd.read_file(folder / f"truth_{YEARS[-1]}.gpkg")
    licensed = gpd.read_file(folder / "mines.gpkg").to_crs(truth.crs).union_all()
    inside = shapely.box(*truth.total_bounds).buffer(-400)  # the flight looks over ground, not past it
    pits = truth[truth["class_code"] == "open_pit"]
    points = pits.representative_point()
    chosen = pits.index[pits.within(inside) & points.within(licensed)]
    largest = pits.area[chosen].idxmax()
    point = points.to_crs(SRID)[largest]
    return point.x, point.y


def retry_failed(scenes: list[Scene]) -> None:
    """Queue again what failed in an earlier, interrupted demonstration."""
    for scene in scenes:
        run = scene.runs.first()  # the newest
        job = run.job if run else scene.ingest_job
        if job and job.state in (Job.State.FAILED, Job.State.CANCELLED):
            job_retry(job=job)


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def observed(folder: Path, scene: Scene, crs: Any) -> shapely.Geometry:
    """The ground to compare: shown by the simulated scene, and observed by the mask that the product found for it."""
    mask = ObservationMask.objects.filter(scene=scene).first()
    seen = scene.footprint if mask is None else mask.geom
    assert seen is not None  # an interpreted scene has a footprint
    pieces = gpd.read_file(folder / f"observed_{scene.year}.gpkg").to_crs(crs)
    footprint = units.reproject(shapely.from_wkb(bytes(seen.wkb)), SRID, crs)
    shown = shapely.make_valid(shapely.union_all(pieces.geometry.to_numpy())) & shapely.make_valid(footprint)
    areas = [part for part in shapely.get_parts(shown) if part.geom_type == "Polygon"]
    return shapely.MultiPolygon(areas)


def true_areas(folder: Path, scene: Scene) -> dict[str, int]:
    """True area in cm² per class code and per damage kind, on the ground the scene shows.

    The same water rule as for interpreted patches decides which true water is damage.
    """
    truth = gpd.read_file(folder / f"truth_{scene.year}.gpkg")
    shown = observed(folder, scene, truth.crs)
    shapely.prepare(shown)
    zones = Mine.objects.filter(influence_zone__intersects=scene.footprint).values_list("influence_zone", flat=True)
    zone = shapely.union_all([shapely.from_wkb(bytes(z.wkb)) for z in zones]) if zones else None
    water = truth[truth["class_code"] == "water"]
    origins = dict(
        zip(
            water.index,
            propose_water_origin(
                list(water.geometry),
                list(truth.geometry[truth["class_code"] == "open_pit"]),
                list(truth.geometry[truth["class_code"] == "tailings_pond"]),
                None if zone is None else units.reproject(zone, SRID, truth.crs),
            ),
            strict=True,
        )
    )
    areas: dict[str, int] = defaultdict(int)
    for row in truth.itertuples():
        seen = row.geometry if shown.contains(row.geometry) else row.geometry & shown
        cm2 = units.area_cm2(seen, truth.crs)
        areas[row.class_code] += cm2
        areas[taxonomy.damage_kind(row.class_code, origins.get(row.Index))] += cm2
    return areas


def compare(folder: Path, scene: Scene) -> list[Comparison]:
    """True beside found on the ground the scene shows: every class, then every damage kind."""
    true = true_areas(folder, scene)
    reader = User.objects.get(username="manager")
    sums = selectors.year_sums(reader, scene.year or 0, within=_multi(observed(folder, scene, SRID)))
    found = sums.by_class | sums.by_kind
    facts = [(c.code, c.zh, c.en) for c in taxonomy.CLASSES if c.id]
    facts += [(k.code, k.zh, k.en) for k in taxonomy.DAMAGE_KINDS if k.code in ("excavation", "occupation")]
    return [Comparison(scene.year or 0, code, zh, en, true.get(code, 0), found.get(code, 0)) for code, zh, en in facts]
