"""One scene: its checks and metadata beside the map of image and result."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST
from django_htmx.http import HttpResponseClientRefresh

from landdamage import selectors, taxonomy
from landdamage.imagery.metadata import LARGEST_RMSE_M
from landdamage.models import InterpretationRun, Patch, Scene
from landdamage.pages.scenes import SceneRow
from landdamage.selectors.trained_models import promoted_cards
from landdamage.services.registration import registration_set
from landdamage.services.runs import run_start
from landdamage.templatetags.taxonomy_tags import kind_name, name
from minegis.access.permissions import allowed
from minegis.access.requests import PageRequest
from minegis.errors import MineGISError
from minegis.jobs.pages import JobRow
from minegis.jobs.permissions import may_cancel


def _visible(request: PageRequest, scene_id: UUID) -> Scene:
    scenes = Scene.objects.visible_to(request.user).select_related("region", "uploader", "ingest_job")
    return get_object_or_404(scenes, pk=scene_id)


def _shown_run(request: PageRequest, runs: list[InterpretationRun]) -> InterpretationRun | None:
    """The run that the address names, else the current one."""
    finished = [run for run in runs if run.state == InterpretationRun.State.SUCCEEDED]
    asked = request.GET.get("run")
    return next((run for run in finished if str(run.pk) == asked), next((r for r in finished if r.is_current), None))


@require_GET
def scene(request: PageRequest, scene_id: UUID) -> HttpResponse:
    """Image, result, legend, findings, metadata, runs. The map's state is kept in the address by the page's script."""
    found = _visible(request, scene_id)
    runs = list(found.runs.select_related("job", "started_by").order_by("-created_at"))
    run = _shown_run(request, runs)
    own = found.uploader_id == request.user.pk
    images = allowed(request.user, "image.read", found.region, own=own)
    figures = allowed(request.user, "statistics.read", found.region)
    areas = (selectors.run_areas(run) if figures else selectors.empty_areas()) if run else []
    context = {
        "scene": found,
        "row": SceneRow(found),
        "runs": runs,
        "run": run,
        "areas": areas,
        "figures": figures,
        "total_cm2": sum(row.cm2 for row in areas),
        "total_patches": sum(row.patches for row in areas),
        "kinds": [(taxonomy.DAMAGE_KIND_BY_CODE[k], cm2) for k, cm2 in _damage(run)] if figures else [],
        "images": images,
        "hatched": [c for c in taxonomy.ALL_CLASSES if c.hatch != "none"],
        "may_start": found.is_usable and allowed(request.user, "run.start", found.region),
        "check": found.registration_checks.select_related("checked_by").first(),
        "rmse_px": found.georef_rmse_m / found.gsd_m if found.georef_rmse_m is not None and found.gsd_m else None,
        "may_edit_registration": found.state != Scene.State.CHECKING
        and allowed(request.user, "registration.edit", found.region),
        "may_edit_observation": allowed(request.user, "observation.edit", found.region),
        "may_label": found.is_usable and images and allowed(request.user, "sample.label", found.region),
        "may_export": run is not None and allowed(request.user, "vectors.export", found.region),
        "models": list(promoted_cards().values()),
        "scene_data": _scene_data(found, run) if images else None,
    }
    return render(request, "landdamage/scene.html", context | _progress(request, found, runs))


def _damage(run: InterpretationRun | None) -> list[tuple[taxonomy.DamageKindCode, int]]:
    kinds = selectors.run_kinds(run) if run else {}
    return [(kind, kinds.get(kind, 0)) for kind in selectors.DAMAGE_ORDER]


def _scene_data(scene: Scene, run: InterpretationRun | None) -> dict[str, Any] | None:
    """What the map draws; None for a scene that has no image to show."""
    if not scene.is_usable or scene.footprint is None:
        return None
    return {
        "scene": str(scene.pk),
        "run": str(run.pk) if run else None,
        "bounds": scene.footprint.extent,
        "gsd": scene.gsd_m,
        "classes": [
            {"id": c.id, "code": c.code, "name": name(c), "colour": c.colour, "hatch": c.hatch, "kind": c.damage_kind}
            for c in taxonomy.ALL_CLASSES
        ],
        "kinds": {kind.code: kind_name(kind.code) for kind in taxonomy.DAMAGE_KINDS},
        "origins": {value: str(label) for value, label in Patch.WaterOrigin.choices},
    }


def _progress(request: PageRequest, scene: Scene, runs: list[InterpretationRun]) -> dict[str, Any]:
    """The work under way on a scene: its checks, or its latest run."""
    latest = runs[0] if runs else None
    job = scene.ingest_job if scene.state == Scene.State.CHECKING else (latest.job if latest else None)
    live = scene.state == Scene.State.CHECKING or (latest is not None and latest.state in ("queued", "running"))
    return {
        "latest": latest,
        "job": JobRow(job, request) if job else None,
        "live": live,
        "may_cancel": job is not None and may_cancel(request.user, job),
    }


@require_GET
def progress(request: PageRequest, scene_id: UUID) -> HttpResponse:
    """The live part of the page; when the work has ended the page is fetched anew, with its result."""
    found = _visible(request, scene_id)
    runs = list(found.runs.select_related("job").order_by("-created_at")[:1])
    context = _progress(request, found, runs)
    if not context["live"]:
        return HttpResponseClientRefresh()
    return render(request, "landdamage/_scene_progress.html", context | {"scene": found})


@require_POST
def start(request: PageRequest, scene_id: UUID) -> HttpResponse:
    """Queue an interpretation with the chosen model, or with the one that fits."""
    found = _visible(request, scene_id)
    run_start(scene=found, user=request.user, model_name=request.POST.get("model", ""))
    return redirect("scene", scene_id=found.pk)


@require_POST
def registration(request: PageRequest, scene_id: UUID) -> HttpResponse:
    """Say how far the scene lies from the reference; the page is fetched anew, for its state may have changed."""
    registration_set(
        scene=_visible(request, scene_id),
        rmse_m=_metres(request.POST.get("rmse_m", "")),
        method=request.POST.get("method", ""),
        user=request.user,
        seen=_metres(request.POST.get("seen", "")),
    )
    return HttpResponseClientRefresh()


def _metres(text: str) -> float | None:
    try:
        return float(text) if text.strip() else None
    except ValueError:
        raise MineGISError("E-GEO-09", value=text[:20], limit=f"{LARGEST_RMSE_M:.0f}") from None
