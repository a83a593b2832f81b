"""The pages: who may open them, what they say in both languages, how many queries they take."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.urls import reverse

from landdamage.models import InterpretationRun, Scene
from minegis.errors import Finding
from minegis.jobs.models import Job

pytestmark = pytest.mark.django_db


@pytest.fixture
def interpreter(person: Callable[..., Any], client_for: Callable[[Any], Any], interpreted: InterpretationRun) -> Any:
    client = client_for(person("interpreter"))
    client.interpreted = interpreted
    return client


def _text(response: Any) -> str:
    assert response.status_code == 200, response
    return response.content.decode()


@pytest.mark.parametrize("path", ["/", "/scenes/", "/jobs/", f"/scenes/{uuid.UUID(int=1)}/"])
def test_a_stranger_is_sent_to_the_login_page(client: Any, path: str) -> None:
    response = client.get(path)
    assert response.status_code == 302
    assert response["Location"].startswith("/login/?next=")


def test_a_fragment_sends_the_whole_page_of_a_stranger_to_the_login(client: Any) -> None:
    response = client.get("/scenes/", headers={"HX-Request": "true"})
    assert response.status_code == 204
    assert response["HX-Redirect"].startswith("/login/")


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("zh-hans", ["概览", "解译损毁面积", "挖损", "露天采场", "未经人工审核", "一矿", "亩"]),
        ("en", ["Overview", "Mapped damage", "Excavation", "Open pit", "Unreviewed results", "First mine", "mu"]),
    ],
)
def test_overview_shows_the_year_in_both_languages(interpreter: Any, language: str, words: list[str]) -> None:
    page = _text(interpreter.get("/?year=2022", headers={"Accept-Language": language}))
    assert [word for word in words if word not in page] == []
    assert 'id="overview-data"' in page
    assert str(interpreter.interpreted.pk) in page


def test_overview_figures_are_those_of_the_patches(interpreter: Any) -> None:
    response = interpreter.get("/")
    figures = response.context["figures"]
    assert [row.kind.code for row in figures.kinds if row.cm2] == ["excavation"]
    assert figures.damage_cm2 == sum(row.damage_cm2 for row in figures.mines) > 0
    assert f"{figures.damage_hm2:,}" in _text(response)
    assert response.context["bars"][-1].damage == figures.damage_cm2


def test_overview_of_a_region_without_results_shows_zeros(interpreter: Any, person: Any) -> None:
    response = interpreter.get("/?region=652300&year=1999")
    assert response.context["year"] == 2022  # an unknown year falls back to the latest
    assert interpreter.get("/?region=999999").context["region"] == ""


def test_overview_without_any_result_says_what_to_do(client_for: Any, person: Any, region: Any) -> None:
    page = _text(client_for(person("interpreter")).get("/", headers={"Accept-Language": "en"}))
    assert "Nothing has been interpreted yet" in page
    assert reverse("scenes") in page


def test_who_may_not_read_statistics_starts_at_the_scenes(client_for: Any, person: Any, region: Any) -> None:
    assert client_for(person("uploader")).get("/").headers["Location"] == "/scenes/"


@pytest.mark.parametrize(("language", "word"), [("zh-hans", "检查发现"), ("en", "Findings")])
def test_scenes_list_speaks_both_languages(interpreter: Any, language: str, word: str) -> None:
    page = _text(interpreter.get("/scenes/", headers={"Accept-Language": language}))
    assert word in page
    assert "scene.tif" in page
    assert 'id="drop"' in page


def test_scenes_list_says_faults_in_the_language_of_the_reader(interpreter: Any, region: Any) -> None:
    faults = [
        Finding("E-RAD-05").as_dict(),
        Finding("E-GEO-02").as_dict(),
        Finding("E-QUA-01", values={"value": 34}).as_dict(),
    ]
    Scene.objects.create(
        file_name="l1a.tif", sha256="c" * 64, bytes=9, state="rejected", region=region, findings=faults
    )
    english = _text(interpreter.get("/scenes/?state=rejected", headers={"Accept-Language": "en"}))
    assert "not orthorectified" in english
    assert "1 more" in english
    assert "scene.tif" not in english
    assert "未正射校正" in _text(interpreter.get("/scenes/?q=l1a", headers={"Accept-Language": "zh-hans"}))


@pytest.mark.parametrize("sort", ["name", "-name", "date", "gsd", "-uploaded", "state", "sensor", "nonsense"])
def test_scenes_list_sorts(interpreter: Any, sort: str) -> None:
    assert "scene.tif" in _text(interpreter.get(f"/scenes/?sort={sort}"))


def test_scenes_fragment_is_the_table_alone_and_polls_only_while_work_runs(interpreter: Any, region: Any) -> None:
    quiet = _text(interpreter.get("/scenes/", headers={"HX-Request": "true"}))
    assert "<html" not in quiet
    assert "every 2s" not in quiet
    job = Job.objects.create(kind="ingest", queue="cpu", stage="check", progress=0.4)
    Scene.objects.create(file_name="new.tif", sha256="d" * 64, bytes=9, region=region, ingest_job=job)
    live = _text(interpreter.get("/scenes/", headers={"HX-Request": "true"}))
    assert "every 2s" in live
    assert "40 %" in live


def test_scenes_list_without_scenes_says_what_to_do(client_for: Any, person: Any, region: Any) -> None:
    page = _text(client_for(person("interpreter")).get("/scenes/", headers={"Accept-Language": "en"}))
    assert "No scenes yet" in page


def test_lists_take_the_same_queries_however_long_they_are(
    interpreter: Any, region: Any, django_assert_max_num_queries: Any
) -> None:
    for number in range(12):
        scene = Scene.objects.create(file_name=f"{number}.tif", sha256=f"{number:064d}", bytes=9, region=region)
        job = Job.objects.create(kind="interpret", queue="gpu", region=region)
        InterpretationRun.objects.create(scene=scene, job=job)
    with django_assert_max_num_queries(12):
        interpreter.get("/scenes/")
    with django_assert_max_num_queries(8):
        interpreter.get("/jobs/")
    with django_assert_max_num_queries(24):
        interpreter.get("/")
    with django_assert_max_num_queries(14):
        interpreter.get(f"/scenes/{interpreter.interpreted.scene_id}/")


@pytest.mark.parametrize(
    ("language", "words"), [("zh-hans", ["图例", "露天采场", "卷帘"]), ("en", ["Legend", "Open pit", "Swipe"])]
)
def test_scene_page_has_legend_areas_and_map(interpreter: Any, language: str, words: list[str]) -> None:
    response = interpreter.get(f"/scenes/{interpreter.interpreted.scene_id}/", headers={"Accept-Language": language})
    page = _text(response)
    assert [word for word in words if word not in page] == []
    assert response.context["scene_data"]["run"] == str(interpreter.interpreted.pk)
    assert response.context["total_cm2"] == sum(row.cm2 for row in response.context["areas"]) > 0
    assert "as=gpkg" in page


def test_scene_page_of_a_rejected_scene_gives_reason_and_remedy(interpreter: Any, region: Any) -> None:
    scene = Scene.objects.create(
        file_name="l1a.tif",
        sha256="c" * 64,
        bytes=9,
        state="rejected",
        region=region,
        findings=[Finding("E-GEO-02").as_dict()],
    )
    page = _text(interpreter.get(f"/scenes/{scene.pk}/", headers={"Accept-Language": "en"}))
    assert "The scene was rejected" in page
    assert "E-GEO-02" in page
    assert "RPC and a DEM" in page
    assert "scene-map" not in page


def test_foreign_scene_is_not_found(interpreted: InterpretationRun, client_for: Any, person: Any) -> None:
    stranger = client_for(person("interpreter", code="650400"))
    for name in ("scene", "scene-progress"):
        assert stranger.get(reverse(name, args=[interpreted.scene_id])).status_code == 404
    assert stranger.post(reverse("scene-start", args=[interpreted.scene_id])).status_code == 404
    assert "scene.tif" not in _text(stranger.get("/scenes/"))


def test_role_without_images_gets_no_map(interpreted: InterpretationRun, client_for: Any, person: Any) -> None:
    page = _text(
        client_for(person("viewer")).get(f"/scenes/{interpreted.scene_id}/", headers={"Accept-Language": "en"})
    )
    assert "not open to your role" in page
    assert "scene-data" not in page


def test_start_queues_a_run_and_the_page_follows_it(interpreter: Any, django_capture_on_commit_callbacks: Any) -> None:
    scene = interpreter.interpreted.scene
    assert interpreter.post(reverse("scene-start", args=[scene.pk]), {"model": ""}).status_code == 302
    run = scene.runs.get(state="queued")
    page = _text(interpreter.get(f"/scenes/{scene.pk}/"))
    assert "every 2s" in page
    Job.objects.filter(pk=run.job_id).update(stage="network", progress=0.5)
    fragment = _text(interpreter.get(f"/scenes/{scene.pk}/progress/", headers={"Accept-Language": "en"}))
    assert "classifying" in fragment
    assert "50 %" in fragment
    InterpretationRun.objects.filter(pk=run.pk).update(state="cancelled")
    assert interpreter.get(f"/scenes/{scene.pk}/progress/")["HX-Refresh"] == "true"


def test_who_may_not_start_runs_is_refused_with_a_code(
    interpreted: InterpretationRun, client_for: Any, person: Any
) -> None:
    analyst = client_for(person("analyst"))
    response = analyst.post(reverse("scene-start", args=[interpreted.scene_id]))
    assert response.status_code == 403
    assert "E-API-03" in response.content.decode()
    assert reverse("scene-start", args=[interpreted.scene_id]) not in _text(
        analyst.get(f"/scenes/{interpreted.scene_id}/")
    )
