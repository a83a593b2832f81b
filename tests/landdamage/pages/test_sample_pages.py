"""Pages of check samples: drawing, labelling blind on image chips, the result in both languages."""

from __future__ import annotations

import io
from typing import Any

import pytest
from django.contrib.gis.geos import MultiPolygon
from django.urls import reverse
from PIL import Image

from landdamage.models import ChangeCell, Edition, Scene
from landdamage.services import sampling
from minegis.registry.models import Region

pytestmark = pytest.mark.django_db


@pytest.fixture
def edition(interpreted: Any) -> Edition:
    """The ground of the interpreted scene: its pit newly damaged, the rest not."""
    edition = Edition.objects.create(
        region=interpreted.scene.region, year=interpreted.scene.acquired_on.year, version=1
    )
    pit = interpreted.patches.get(class_code="open_pit")
    around = interpreted.patches.get(class_code="vegetation")
    for patch, state, flow in ((pit, "open_pit", "new"), (around, "vegetation", "plain")):
        ChangeCell.objects.create(
            edition=edition,
            geom=MultiPolygon(list(patch.geom), srid=4490),
            area_cm2=patch.area_cm2,
            prev_state="vegetation",
            obs_state=state,
            new_state=state,
            flow=flow,
        )
    return edition


def test_a_sample_is_drawn_labelled_and_read(edition: Edition, person: Any, client_for: Any) -> None:
    planner, first, second = client_for(person("analyst")), client_for(person("interpreter")), person("reviewer")
    empty = planner.get(reverse("samples", args=[edition.pk]), headers={"Accept-Language": "en"}).content.decode()
    assert "No check sample yet" in empty
    planner.post(reverse("samples", args=[edition.pk]), {"points": "60"})
    sample = edition.samples.get()
    page = first.get(reverse("sample-label", args=[sample.pk]), headers={"Accept-Language": "en"}).content.decode()
    assert "0 / 60" in page
    assert "none&gt;exc" not in page  # the map's answer is not shown
    point = sample.points.first()
    shown = first.get(reverse("sample-chip", args=[point.pk, "now"]))
    assert shown["Cache-Control"].startswith("private")
    assert Image.open(io.BytesIO(shown.content)).size == (512, 512)
    assert first.get(reverse("sample-chip", args=[point.pk, "before"])).status_code == 404
    for point in sample.points.all():
        now = "exc" if point.stratum == "none>exc" else "none"
        answer = first.post(
            reverse("sample-label", args=[sample.pk]), {"point": point.pk, "before": "none", "now": now}
        )
        assert answer.status_code == 302
        sampling.point_label(point=point, user=second, label=f"none>{now}")
    page = planner.get(reverse("samples", args=[edition.pk]), headers={"Accept-Language": "en"}).content.decode()
    assert "100.0 % (9" in page  # sixty points without an error do not prove that there is none
    assert "– 100.0 %)" in page
    chinese = planner.get(
        reverse("samples", args=[edition.pk]), headers={"Accept-Language": "zh-hans"}
    ).content.decode()
    assert "hm²" in chinese


def test_a_wrong_number_of_points_is_told(edition: Edition, person: Any, client_for: Any) -> None:
    planner = client_for(person("analyst"))
    page = planner.post(reverse("samples", args=[edition.pk]), {"points": "3"}, follow=True).content.decode()
    assert "E-SAM-02" in page
    assert not edition.samples.exists()


def test_who_may_not_label_is_refused(edition: Edition, person: Any, client_for: Any) -> None:
    sample = sampling.sample_draw(edition=edition, user=person("analyst"), total=60)
    assert client_for(person("manager")).get(reverse("sample-label", args=[sample.pk])).status_code == 403
    assert client_for(person("uploader")).get(reverse("sample-label", args=[sample.pk])).status_code == 404


def test_an_image_of_another_region_is_not_shown(
    edition: Edition, interpreted: Any, person: Any, client_for: Any
) -> None:
    labeller = client_for(person("interpreter"))
    point = sampling.sample_draw(edition=edition, user=person("analyst"), total=60).points.first()
    assert labeller.get(reverse("sample-chip", args=[point.pk, "now"])).status_code == 200
    elsewhere = Region.objects.create(code="469000", name_zh="他处", level="county", geom=interpreted.scene.region.geom)
    Scene.objects.filter(pk=interpreted.scene.pk).update(region=elsewhere)
    assert labeller.get(reverse("sample-chip", args=[point.pk, "now"])).status_code == 404
