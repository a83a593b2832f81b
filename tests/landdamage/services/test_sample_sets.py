"""Sample sets as records: from accepted patches or a polygon file, built by a job, versioned, never half there."""

from __future__ import annotations

import datetime as dt
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction

from landdamage.learning.samples import build as building
from landdamage.learning.samples import leaks, sampleset
from landdamage.learning.samples.load import load_scenes
from landdamage.learning.samples.tiles import read_labels
from landdamage.models import ChangeCell, ChangePiece, Edition, PatchReview, SampleSet
from landdamage.selectors.accepted import accepted_ground, models_used
from landdamage.selectors.sample_sets import sample_sets_visible
from landdamage.services.sample_sets import sample_set_folder, sample_set_request, since_moment
from landdamage.taxonomy import BY_CODE, IGNORE
from minegis.errors import ForbiddenError, MineGISError, SampleSetError
from minegis.jobs.models import Job
from minegis.jobs.services import job_cancel, job_retry
from tests.fixtures.labelled import box
from tests.fixtures.sample_scenes import REVIEWED, SMALL_SET, _multi, degrees

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")]
ID = {code: one.id for code, one in BY_CODE.items()}


def ask(world: SimpleNamespace, **more: Any) -> SampleSet:
    given = {"region": world.regions.changji, "user": world.interpreter, "name": "昌吉", "kind": "patches"}
    return sample_set_request(**{**given, "params": SMALL_SET, **more})


def decided(world: SimpleNamespace, place: int, decision: str, *, kind: str = "new") -> Edition:
    """A change over the vegetation of a scene, decided."""
    edition = Edition.objects.filter(region=world.regions.changji).first() or Edition.objects.create(
        region=world.regions.changji, year=2023, version=1, content_sha256="a" * 64
    )
    edition.runs.add(world.runs[place])
    geom = _multi(degrees(box(place, 62, 62, 20, 20)))
    seen, before = ("stockpile", "vegetation") if kind == "new" else ("vegetation", "open_pit")
    piece = ChangePiece.objects.create(
        edition=edition, kind=kind, prev_state=before, obs_state=seen, area_cm2=1, geom=geom, geometry_sha256="b" * 64,
        decision=decision, reason="seen on the ground", decided_by=world.reviewer, decided_at=REVIEWED,
    )  # fmt: skip
    ChangeCell.objects.create(
        edition=edition, piece=piece, geom=geom, area_cm2=1, prev_state=before, obs_state=seen, new_state=seen,
        flow=decision, scene=world.scenes[place],
    )  # fmt: skip
    return edition


def test_accepted_patches_become_a_set(mined: SimpleNamespace, work_off: Callable[[], None]) -> None:
    row = ask(mined)
    assert (row.state, row.version, row.job.kind) == ("building", 1, "sample_set")
    work_off()
    row.refresh_from_db()
    assert row.job.state == "succeeded", (row.job.error_code, row.job.error_values)
    folder = sample_set_folder(row.sha256)
    made = sampleset.SampleSet.open(folder)
    made.verify()
    leaks.check(made)
    assert (row.state, row.tiles, row.sha256) == ("ready", len(made.tiles), made.sha256)
    assert row.bytes == sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    assert {tile.sensor for tile in made.tiles} == {"GF2 PMS1"}
    assert {tile.acquired for tile in made.tiles} == {f"2023-07-1{place}" for place in range(4)}
    originals = {line["class_code"]: line["originals"] for line in row.table if line["originals"]}
    assert {code: one["objects"] for code, one in originals.items() if one["objects"]} == {
        "water": 4, "stockpile": 4, "tailings_pond": 4, "open_pit": 4,
    }  # fmt: skip
    assert "E-SET-06" in {finding["code"] for finding in row.findings}
    assert load_scenes(folder, "train")
    assert not Path(Job.objects.get().params.get("workdir", "/nowhere")).exists()


def test_what_nobody_has_reviewed_is_unlabelled(mined: SimpleNamespace, work_off: Callable[[], None]) -> None:
    row = ask(mined)
    work_off()
    row.refresh_from_db()
    made = sampleset.SampleSet.open(sample_set_folder(row.sha256))
    seen = {int(v) for tile in made.tiles for v in np.unique(read_labels(made.folder, tile.id))}
    assert seen == {ID["open_pit"], ID["water"], ID["stockpile"], ID["tailings_pond"], IGNORE}
    assert "E-SET-21" in {finding["code"] for finding in row.findings}  # no year was closed: nothing is background


def test_a_closed_year_makes_the_rest_background(mined: SimpleNamespace, work_off: Callable[[], None]) -> None:
    edition = decided(mined, 0, "new")
    Edition.objects.filter(pk=edition.pk).update(state="frozen")
    row = ask(mined)
    work_off()
    row.refresh_from_db()
    made = sampleset.SampleSet.open(sample_set_folder(row.sha256))
    first = mined.scenes[0].pk.hex[:8]
    held = {key: sum(tile.pixels[0] for tile in made.tiles if (first in tile.image) is key) for key in (True, False)}
    assert held[True] > 0
    assert held[False] == 0  # the other scenes belong to no closed year


@pytest.mark.parametrize(
    ("kind", "decision", "shows"),
    [
        ("new", "new", "stockpile"), ("new", "omission", "stockpile"), ("new", "rejected", "vegetation"),
        ("released", "corrected", "vegetation"), ("released", "pending", None),
    ],
)  # fmt: skip
def test_decided_changes_are_labels(kind: str, decision: str, shows: str | None, mined: SimpleNamespace) -> None:
    PatchReview.objects.all().delete()
    decided(mined, 1, decision, kind=kind)
    found = accepted_ground(mined.regions.changji)
    assert list(found.scenes) == [mined.scenes[1].pk]
    labels = [class_id for class_id in found.class_ids if class_id != IGNORE]
    assert labels == ([] if shows is None else [ID[shows]])
    assert found.class_ids.count(IGNORE) == 5  # the patches nobody reviewed


def test_rejected_patches_are_ground_without_damage(mined: SimpleNamespace) -> None:
    review = PatchReview.objects.filter(patch__run=mined.runs[0], patch__class_code="tailings_pond").get()
    patch = review.patch
    patch.class_code, patch.damage_kind = "background", "none"
    patch.save()
    PatchReview.objects.filter(pk=review.pk).update(verdict="rejected", reason="a roof")
    found = accepted_ground(mined.regions.fukang)
    own = [c for c, key in zip(found.class_ids, found.scene_ids, strict=True) if key == mined.scenes[0].pk]
    assert ID["background"] in own
    PatchReview.objects.filter(pk=review.pk).update(verdict="undone")
    again = accepted_ground(mined.regions.fukang)
    own = [c for c, key in zip(again.class_ids, again.scene_ids, strict=True) if key == mined.scenes[0].pk]
    assert ID["background"] not in own


def test_only_what_was_accepted_since(mined: SimpleNamespace) -> None:
    later = REVIEWED + dt.timedelta(days=10)
    PatchReview.objects.filter(patch__run=mined.runs[2]).update(reviewed_at=later)
    region = mined.regions.changji
    assert list(accepted_ground(region, since=REVIEWED + dt.timedelta(days=1)).scenes) == [mined.scenes[2].pk]
    assert len(accepted_ground(region, since=REVIEWED - dt.timedelta(days=1)).scenes) == 4
    assert not accepted_ground(region, since=later).scenes
    assert not accepted_ground(region, years=[2022]).scenes
    assert not accepted_ground(mined.regions.turpan).scenes
    with pytest.raises(SampleSetError, match="E-SET-27"):
        ask(mined, source={"since": later.isoformat()})


def test_since_a_model_first_ran(mined: SimpleNamespace) -> None:
    region = mined.regions.changji
    [(name, version, first)] = models_used(region)
    assert (name, version) == ("se-cot", "0.3")
    assert since_moment("se-cot@0.3", region) == since_moment("se-cot", region) == first
    assert since_moment("2026-01-31", region).isoformat().startswith("2026-01-31T00:00:00+08:00")
    assert since_moment("2026-01-31T12:00:00Z", region).hour == 12
    for wrong in ("yesterday", "2026-13-01", "other@1"):
        with pytest.raises(SampleSetError, match="E-SET-24") as caught:
            since_moment(wrong, region)
        assert "se-cot@0.3" in caught.value.hint("zh")


def test_a_polygon_file_becomes_a_set(
    mined: SimpleNamespace, polygon_file: Callable[..., Path], work_off: Callable[[], None]
) -> None:
    row = ask(
        mined, kind="vectors", file=polygon_file(), file_name="矿山.gpkg",
        source={"years": [2023], "surveyed": True}, params=SMALL_SET | {"regions": "mine", "most_background": 0.2},
    )  # fmt: skip
    work_off()
    row.refresh_from_db()
    assert row.state == "ready", (row.job.error_code, row.job.error_values)
    made = sampleset.SampleSet.open(sample_set_folder(row.sha256))
    assert {tile.region for tile in made.tiles} == {"M0", "M1", "M2", "M3"}
    assert row.source["file_name"] == "矿山.gpkg"
    assert sum(tile.pixels[0] for tile in made.tiles) > 0
    assert sum(tile.pixels[ID["vegetation"]] for tile in made.tiles) > 0


def test_a_faulty_polygon_file_is_no_set(mined: SimpleNamespace, polygon_file: Callable[..., Path]) -> None:
    with pytest.raises(MineGISError, match="E-VEC-10"):
        ask(mined, kind="vectors", file=polygon_file({0: "温室"}), source={"years": [2023]})
    with pytest.raises(SampleSetError, match="E-SET-27"):
        ask(mined, kind="vectors", file=polygon_file(), source={"years": [2021]})
    with pytest.raises(SampleSetError, match="E-SET-24"):
        ask(mined, kind="vectors", source={"years": [2023]})
    assert not SampleSet.objects.exists()
    answered = ask(mined, kind="vectors", file=polygon_file({0: "温室"}), source={"mapping": {"温室": "skip"}})
    assert answered.state == "building"


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "hearsay"}, {"name": " "}, {"params": {"tile": 3}}, {"source": {"until": "2026-01-01"}},
        {"source": {"years": ["last"]}}, {"kind": "vectors", "source": {"scenes": ["x"]}},
    ],
)  # fmt: skip
def test_wrong_wishes_are_refused(wrong: dict[str, Any], mined: SimpleNamespace) -> None:
    with pytest.raises(SampleSetError, match="E-SET-24"):
        ask(mined, **wrong)
    assert not Job.objects.exists()


def test_the_same_name_makes_the_next_version(mined: SimpleNamespace, work_off: Callable[[], None]) -> None:
    first, second = ask(mined), ask(mined)
    other = ask(mined, name="别的")
    assert (first.version, second.version, other.version) == (1, 2, 1)
    work_off()
    for row in (first, second):
        row.refresh_from_db()
        assert row.state == "ready"
    assert first.sha256 == second.sha256  # the same labels, the same tiles, one folder
    with pytest.raises(IntegrityError), transaction.atomic():
        SampleSet.objects.create(name="昌吉", version=1, region=mined.regions.changji, kind="patches")
    with pytest.raises(IntegrityError), transaction.atomic():
        SampleSet.objects.filter(pk=first.pk).update(sha256="")


def test_who_may_build_and_who_may_see(mined: SimpleNamespace, make_user: Callable[..., Any]) -> None:
    for user in (mined.viewer, mined.stranger, make_user("manager", mined.regions.changji)):
        with pytest.raises(ForbiddenError):
            ask(mined, user=user)
    row = ask(mined, user=mined.reviewer)
    sees = {
        "interpreter": True, "reviewer": True, "analyst": True, "manager": True, "admin": True, "viewer": False,
        "uploader": False, "auditor": False,
    }  # fmt: skip
    for role, may in sees.items():
        assert sample_sets_visible(make_user(role, mined.regions.changji)).filter(pk=row.pk).exists() is may, role
    assert not sample_sets_visible(mined.stranger).exists()


def test_a_failed_build_says_why_and_can_be_tried_again(mined: SimpleNamespace, work_off: Callable[[], None]) -> None:
    row = ask(mined, params=SMALL_SET | {"folds": 5})
    work_off()
    row.refresh_from_db()
    assert (row.state, row.job.state, row.job.error_code) == ("failed", "failed", "E-SET-03")
    assert row.job.error_values == {"value": "4", "least": "5"}
    SampleSet.objects.filter(pk=row.pk).update(params={**row.params, "folds": 2})
    job_retry(job=row.job)
    row.refresh_from_db()
    assert row.state == "building"
    work_off()
    row.refresh_from_db()
    assert row.state == "ready"


def test_cancel_stops_the_cutting_and_a_retry_goes_on(
    mined: SimpleNamespace, work_off: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    from minegis.jobs import runner

    monkeypatch.setattr(runner, "REPORT_EVERY_S", 0.0)
    row = ask(mined)
    cut: list[str] = []
    write = building.write_tile

    def counted(folder: Path, tile_id: str, *args: Any, **options: Any) -> None:
        cut.append(tile_id)
        write(folder, tile_id, *args, **options)
        if len(cut) == 4:
            job_cancel(job=Job.objects.get(pk=row.job_id))

    monkeypatch.setattr(building, "write_tile", counted)
    work_off()
    row.refresh_from_db()
    assert (row.state, row.job.state, len(cut)) == ("failed", "cancelled", 4)
    job_retry(job=row.job)
    work_off()
    row.refresh_from_db()
    assert row.state == "ready"


def test_a_killed_worker_cuts_only_the_rest(
    mined: SimpleNamespace, work_off: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a silent attempt left in the job's folder is used by the next one."""
    from minegis.jobs.runner import run_job

    row = ask(mined)
    cut: list[str] = []
    write = building.write_tile

    class KilledError(BaseException):
        pass

    def counted(folder: Path, tile_id: str, *args: Any, **options: Any) -> None:
        if len(cut) == 5:
            cut.append("killed")
            raise KilledError
        write(folder, tile_id, *args, **options)
        cut.append(tile_id)

    monkeypatch.setattr(building, "write_tile", counted)
    with pytest.raises(KilledError):
        run_job(row.job_id, "test")
    Job.objects.filter(pk=row.job_id).update(state="queued", attempt_id=None)
    work_off()
    row.refresh_from_db()
    assert row.state == "ready", row.job.error_code
    assert not set(cut[:5]) & set(cut[6:])
    assert len(set(cut) - {"killed"}) >= row.tiles


def test_the_command_cuts_accepted_patches_into_a_folder(
    mined: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = ["--from-patches", "--region", "652300", "--tile", "48", "--stride", "36", "--lang", "zh"]
    call_command("samples", *common, "-o", str(tmp_path / "set"), "--since", "2026-02-01")
    shown = capsys.readouterr()
    made = sampleset.SampleSet.open(tmp_path / "set")
    assert made.kind == "patches"
    assert "尾矿库" in shown.out
    assert made.sha256 in shown.err
    for wrong, code in (
        (["--since", "2026-04-01"], "E-SET-01"),
        (["--folds", "9"], "E-SET-03"),
        (["--tile", "1"], "24"),
    ):
        with pytest.raises(CommandError, match=code):
            call_command("samples", *common, *wrong, "-o", str(tmp_path / "other"))
    with pytest.raises(CommandError, match="no region"):
        call_command("samples", "--from-patches", "--region", "110000", "-o", str(tmp_path / "other"))


def test_a_gbk_shapefile_sent_as_zip_is_read(
    mined: SimpleNamespace, polygon_file: Callable[..., Path], tmp_path: Path, work_off: Callable[[], None]
) -> None:
    import geopandas as gpd

    gpd.read_file(polygon_file()).to_file(tmp_path / "图斑.shp", encoding="GBK")
    (tmp_path / "图斑.cpg").unlink(missing_ok=True)
    with zipfile.ZipFile(tmp_path / "sent", "w") as archive:
        for part in tmp_path.glob("图斑.*"):
            archive.write(part, part.name)
    row = ask(mined, kind="vectors", file=tmp_path / "sent", file_name="图斑.zip", source={"years": ["2023"]})
    work_off()
    row.refresh_from_db()
    assert row.state == "ready", (row.job.error_code, row.job.error_values)
