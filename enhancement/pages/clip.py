"""One clip: the player with before and after, parameters with a live still, results, evidence."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST
from django_htmx.http import HttpResponseClientRefresh

from enhancement import selectors
from enhancement.dehaze.settings import PRESETS, RANGES
from enhancement.lednet.facts import DARK
from enhancement.models import Clip, Enhancement
from enhancement.pages.rows import ClipRow, EnhancementRow, readings_of
from enhancement.services.clips import clip_delete, may_delete
from enhancement.services.enhancements import enhancement_start
from enhancement.services.frames import frame_pin
from enhancement.services.methods import DEFAULT_PRESET, choice_from, params_of
from minegis.access.permissions import Action, allowed
from minegis.access.requests import PageRequest

SLIDERS = ("omega", "sky_thresh", "sky_trans", "window_size")


def _visible(request: PageRequest, clip_id: UUID) -> Clip:
    return get_object_or_404(selectors.clips_visible(request.user), pk=clip_id)


def _may(request: PageRequest, action: Action, clip: Clip) -> bool:
    return allowed(request.user, action, clip.region, own=clip.uploader_id == request.user.pk)


def _chosen(request: PageRequest, clip: Clip) -> Enhancement | None:
    """The finished enhancement that the address names, else the newest."""
    finished = [row for row in clip.enhancements.all() if row.state == Enhancement.State.SUCCEEDED]
    asked = request.GET.get("result")
    return next((row for row in finished if str(row.pk) == asked), next(iter(finished), None))


@require_GET
def clip(request: PageRequest, clip_id: UUID) -> HttpResponse:
    """The page. The player's script keeps nothing on the server but what is started or pinned."""
    found = _visible(request, clip_id)
    chosen = _chosen(request, found)
    watched = found.is_ready and _may(request, Action.WATCH_CLIP, found)
    start = _start(found, chosen)
    context = {
        "clip": found,
        "row": ClipRow(found, request),
        "chosen": chosen,
        "results": [row for row in found.enhancements.all() if row.state == Enhancement.State.SUCCEEDED],
        "readings": readings_of(chosen),
        "watched": watched,
        "presets": list(PRESETS),
        "start": start,
        "methods": Enhancement.Method.choices,
        "is_dark": _is_dark(found),
        "sliders": _sliders(start["params"]),
        "may_start": watched and _may(request, Action.START_ENHANCEMENT, found),
        "may_keep": watched and _may(request, Action.DOWNLOAD_CLIP, found),
        "may_pin": watched and _may(request, Action.PIN_FRAME, found),
        "may_delete": found.state != Clip.State.CHECKING and may_delete(found, request.user),
        "mines": selectors.mines_of(found.region, request.user),
        "pins": found.evidence_frames.select_related("mine", "pinned_by", "enhancement"),
        "player": _player(found, chosen) if watched else None,
    }
    return render(request, "enhancement/clip.html", context | _progress(request, found))


def _start(clip: Clip, chosen: Enhancement | None) -> dict[str, Any]:
    """Where the form stands: at the shown result's parameters, else at the camera's, else at what the light says."""
    if chosen is not None:
        method, preset, params = chosen.method, chosen.preset, chosen.params
    elif clip.camera is not None and clip.camera.preset.get("params"):
        kept = clip.camera.preset
        method, preset, params = kept.get("method", Enhancement.Method.DEHAZE), kept.get("preset"), kept["params"]
    else:
        method, preset = (Enhancement.Method.LEDNET if _is_dark(clip) else Enhancement.Method.DEHAZE), DEFAULT_PRESET
        params = params_of(method, preset, {})[0]
    night = choice_from(Enhancement.Method.LEDNET, params if method == Enhancement.Method.LEDNET else {})
    return {"method": str(method), "preset": preset or DEFAULT_PRESET, "params": params, "night": night}


def _is_dark(clip: Clip) -> bool:
    """Whether its pictures are those of a night; not known of clips that came before their light was measured."""
    luma = clip.facts.get("luma")
    return luma is not None and luma < DARK


def _sliders(params: dict[str, Any]) -> list[dict[str, Any]]:
    rows = []
    for name in SLIDERS:
        low, high = RANGES[name]
        whole = name == "window_size"
        value = params.get(name)
        number = 15 if value == "auto" or value is None else value
        text = str(number) if whole else f"{number:.2f}"
        step = "2" if whole else "0.01"
        rows.append(
            {"name": name, "low": str(low), "high": str(high), "step": step, "value": text, "auto": value == "auto"}
        )
    return rows


def _player(clip: Clip, chosen: Enhancement | None) -> dict[str, Any]:
    """What the script needs to know."""
    presets = {name: {key: getattr(settings, key) for key in SLIDERS} for name, settings in PRESETS.items()}
    return {
        "clip": str(clip.pk),
        "kind": clip.kind,
        "rate": clip.rate or 25,
        "frames": clip.frames or 1,
        "seconds": clip.seconds or 0,
        "preview": reverse("api:clip-preview", args=[clip.pk]),
        "estimate": reverse("api:clip-estimate", args=[clip.pk]) if clip.kind == Clip.Kind.VIDEO else None,
        "presets": presets,
        "result": str(chosen.pk) if chosen else None,
    }


def _progress(request: PageRequest, clip: Clip) -> dict[str, Any]:
    """The work under way on a clip: its check, or enhancements."""
    row = ClipRow(clip, request)
    active = [EnhancementRow(e, request) for e in clip.enhancements.all() if e.state in Enhancement.ACTIVE]
    ended = clip.enhancements.all()[:1] if not active else []
    failed = [EnhancementRow(e, request) for e in ended if e.state in ("failed", "cancelled")]
    checking = row.job if clip.state == Clip.State.CHECKING else None
    return {"checking": checking, "active": active, "failed": failed, "live": bool(checking or active)}


@require_GET
def progress(request: PageRequest, clip_id: UUID) -> HttpResponse:
    """The live part of the page; when work has ended the page is fetched anew, with its result."""
    found = _visible(request, clip_id)
    context = _progress(request, found)
    under_way = len(context["active"]) + bool(context["checking"])
    if str(under_way) != request.GET.get("seen", str(under_way)) or not under_way:
        return HttpResponseClientRefresh()
    return render(request, "enhancement/_clip_progress.html", context | {"clip": found})


@require_POST
def start(request: PageRequest, clip_id: UUID) -> HttpResponse:
    """Queue an enhancement with the form's parameters."""
    given = request.POST
    method = given.get("method", Enhancement.Method.DEHAZE.value)
    params: dict[str, Any] = {name: given[name] for name in SLIDERS if given.get(name)}
    if given.get("window_auto"):
        params["window_size"] = "auto"
    if method == Enhancement.Method.LEDNET:  # its form has boxes instead of sliders
        params = {name: bool(given.get(name)) for name in ("dehaze", "always")}
    enhancement_start(
        clip=_visible(request, clip_id),
        user=request.user,
        method=method,
        preset_name=given.get("preset", DEFAULT_PRESET),
        params=params,
        remember=bool(given.get("remember")),
    )
    return HttpResponseClientRefresh() if request.htmx else redirect("clip", clip_id=clip_id)


@require_POST
def pin(request: PageRequest, clip_id: UUID) -> HttpResponse:
    """Pin the frame that the player shows, of the original or of the shown result."""
    found = _visible(request, clip_id)
    given = request.POST
    made = None
    if given.get("side") == "after" and given.get("result"):
        made = get_object_or_404(found.enhancements.all(), pk=given["result"])
    mine = get_object_or_404(selectors.mines_of(found.region, request.user), code=given.get("mine", ""))
    seconds = _number(given.get("seconds", ""))
    frame_pin(clip=found, enhancement=made, user=request.user, mine=mine, seconds=seconds, note=given.get("note", ""))
    context = {"clip": found, "pins": found.evidence_frames.select_related("mine", "pinned_by", "enhancement")}
    return render(request, "enhancement/_pins.html", context)


def _number(text: str) -> float:
    try:
        return float(text or 0)
    except ValueError:
        return -1.0  # no moment of any clip: the service says so


@require_POST
def delete(request: PageRequest, clip_id: UUID) -> HttpResponse:
    """Remove the clip, its results and their files."""
    clip_delete(clip=_visible(request, clip_id), user=request.user)
    answer = HttpResponse(status=204)
    answer["HX-Redirect"] = reverse("clips")
    return answer
