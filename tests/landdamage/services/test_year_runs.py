"""A year's scenes are queued once: usable ones of the region and below that have neither a result nor a run."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from landdamage.models import InterpretationRun, Scene
from landdamage.services.year_runs import year_interpret
from minegis.errors import MineGISError
from minegis.jobs.models import Job

pytestmark = pytest.mark.django_db


@pytest.fixture
def scenes(regions: Any, make_user: Any) -> dict[str, Scene]:
    def make(name: str, region: Any, year: int = 2022, state: str = "ready") -> Scene:
        return Scene.objects.create(
            file_name=name, sha256=name.ljust(64, "0"), bytes=1, state=state, region=region, cog_sha256="c" * 64,
            acquired_on=dt.date(year, 7, 1), uploader=make_user("uploader", region), gsd_m=2.0, bands=["B", "G", "R"],
        )  # fmt: skip

    found = [
        make("here", regions.fukang),
        make("careful", regions.jimsar, state="restricted"),
        make("refused", regions.fukang, state="rejected"),
        make("earlier", regions.fukang, year=2021),
        make("elsewhere", regions.turpan),
        make("done", regions.fukang),
        make("running", regions.fukang),
    ]
    by_name = {scene.file_name: scene for scene in found}
    InterpretationRun.objects.create(scene=by_name["done"], state="succeeded", is_current=True)
    InterpretationRun.objects.create(scene=by_name["running"], state="running")
    return by_name


def names(runs: list[InterpretationRun]) -> set[str]:
    return {run.scene.file_name for run in runs}


def test_only_what_lacks_a_result_is_queued_and_only_once(scenes: dict[str, Scene]) -> None:
    runs = year_interpret(code="652300", year=2022)
    assert names(runs) == {"here", "careful"}
    assert all(run.job is not None and run.job.kind == "interpret" for run in runs)
    assert year_interpret(code="652300", year=2022) == []
    assert names(year_interpret(code="652300", year=2022, again=True)) == {"done"}
    assert names(year_interpret(code="650000", year=2022)) == {"elsewhere"}


def test_an_unknown_region_or_model_queues_nothing(scenes: dict[str, Scene]) -> None:
    with pytest.raises(MineGISError, match="E-REG-02"):
        year_interpret(code="999999", year=2022)
    with pytest.raises(MineGISError, match="E-MOD-01"):
        year_interpret(code="652300", year=2022, model_name="no-such-model")
    assert not Job.objects.exists()


def test_the_command_names_each_scene_and_waits_for_the_end(
    scenes: dict[str, Scene], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    call_command("interpret", "--year", "2022", "--region", "652300", "--lang", "en")
    assert set(capsys.readouterr().out.splitlines()) == {"here: queued", "careful: queued"}
    call_command("interpret", "--year", "2022", "--region", "652300", "--lang", "zh")
    assert "没有待解译的影像" in capsys.readouterr().out

    def both_end(seconds: float) -> None:  # while the command sleeps
        Job.objects.filter(title="done").update(state="failed", error_code="E-MOD-04", error_values={"value": "N"})

    monkeypatch.setattr("time.sleep", both_end)
    with pytest.raises(CommandError):
        call_command("interpret", "--year", "2022", "--region", "652300", "--lang", "en", "--again", "--wait")
    told = capsys.readouterr()
    assert "done: " in told.out
    assert "1 of 1 scenes done" in told.out
    assert "error E-MOD-04" in told.err


@pytest.mark.parametrize("arguments", [[], ["--year", "2022"], ["a.tif", "--year", "2022", "--region", "652300"]])
def test_files_or_a_year_but_not_both(arguments: list[str]) -> None:
    with pytest.raises(CommandError):
        call_command("interpret", *arguments)
    with pytest.raises(CommandError, match="failed"):
        call_command("interpret", "--year", "2022", "--region", "999999")
