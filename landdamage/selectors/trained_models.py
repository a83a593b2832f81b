"""Reads about models: which are promoted, how each was judged, what a page or an API shows of them."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from django.db.models import Count, QuerySet
from PIL import Image, ImageDraw, ImageFont

from landdamage.interpretation.models import ModelCard
from landdamage.models import ModelComparison, ModelScore, SampleSet, TrainedModel, Training
from landdamage.services.comparisons import panels_folder
from landdamage.services.trained_models import CARD, model_folder
from landdamage.taxonomy import CLASSES, NETWORK_CLASS_COUNT
from minegis.access.models import User
from minegis.access.permissions import Action, allowed
from minegis.errors import MineGISError

MEANS = ("miou_foreground", "mrecall_foreground", "mprecision_foreground", "mdice_foreground")
MORE_MEANS = ("miou_with_background", "overall_accuracy", "kappa", "boundary_f1", "polygon_accuracy")
SIDE, GAP, HEAD = 224, 6, 26  # pixels of the sheet of panels
NAMES = [c.code for c in CLASSES[:NETWORK_CLASS_COUNT]]


def models_readable(user: User) -> QuerySet[TrainedModel]:
    """Every model, for those who may read about models anywhere; else none."""
    found = TrainedModel.objects.select_related("sample_set", "created_by").annotate(used=Count("runs"))
    return found.order_by("role", "-created_at") if allowed(user, Action.READ_MODEL) else found.none()


def promoted_cards() -> dict[str, ModelCard]:
    """Cards of the promoted models by name, finest first; their files may not be at hand yet."""
    rows = TrainedModel.objects.filter(state=TrainedModel.State.PROMOTED)
    cards = [ModelCard.of(row.card, model_folder(row.weights_sha256) / CARD) for row in rows]
    return {card.name: card for card in sorted(cards, key=lambda card: (card.gsd_m, card.name))}


def comparisons_readable(user: User) -> QuerySet[ModelComparison]:
    """Comparisons, for those who may read about models."""
    found = ModelComparison.objects.select_related(
        "candidate", "promoted", "sample_set__region", "candidate_score", "promoted_score", "job", "created_by"
    )
    return found.order_by("-created_at") if allowed(user, Action.READ_MODEL) else found.none()


def trainings_visible(user: User) -> QuerySet[Training]:
    """Trainings on sample sets of the user's regions, newest first."""
    found: QuerySet[Training] = Training.objects.visible_to(user)
    return found.select_related("sample_set__region", "sample_set__job", "job", "model", "comparison", "created_by")


def comparable_sets(user: User) -> QuerySet[SampleSet]:
    """Ready sample sets on which the user may compare models, newest first."""
    found: QuerySet[SampleSet] = SampleSet.objects.visible_to(user)
    return found.filter(state=SampleSet.State.READY).select_related("region").order_by("-created_at")


def scores_of(sample_set: SampleSet) -> list[ModelScore]:
    """Every model's score on a sample set, the promoted ones first, then the best first."""
    found = ModelScore.objects.filter(sample_set_sha256=sample_set.sha256).select_related("model")
    return sorted(
        found,
        key=lambda s: (s.model.state != TrainedModel.State.PROMOTED, -(s.metrics.get("miou_foreground") or 0.0)),
    )


def confusion(score: ModelScore) -> list[list[int]]:
    """One confusion matrix over all regions: truth by row, prediction by column, the classes of ``NAMES``."""
    total = np.zeros((len(NAMES), len(NAMES)), np.int64)
    for body in score.regions.values():
        total += np.array(body["matrix"], np.int64)
    return [[int(cell) for cell in row] for row in total]


def class_rows(scores: Sequence[ModelScore], measure: str = "iou") -> list[dict[str, Any]]:
    """Per class with truth pixels: its code, truth pixels and the measure of every score (None where it has none)."""
    rows = []
    for code in NAMES:
        cells = [score.metrics.get("per_class", {}).get(code) for score in scores]
        known = next((cell for cell in cells if cell), None)
        if known is not None:
            values = [None if cell is None else cell.get(measure) for cell in cells]
            rows.append({"code": code, "truth_pixels": known["truth_pixels"], "values": values})
    return rows


def panel_picture(user: User, sample_set: SampleSet, tile_id: str, what: str) -> bytes:
    """A picture of a test tile as PNG: ``image``, ``label``, or what a model (its key) says.

    Raises:
        ForbiddenError: the user may not read images of the set's region.
        MineGISError: E-API-04, there is no such picture.
    """
    if not allowed(user, Action.READ_IMAGE, sample_set.region):
        raise MineGISError("E-API-03")
    scores = {str(score.model_id): score for score in scores_of(sample_set)}
    if not any(tile_id in score.panels for score in scores.values()):
        raise MineGISError("E-API-04")
    if what in ("image", "label"):
        path = panels_folder(sample_set.sha256) / f"{tile_id}-{what}.png"
    elif what in scores:
        path = panels_folder(sample_set.sha256, scores[what].model.weights_sha256) / f"{tile_id}.png"
    else:
        raise MineGISError("E-API-04")
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise MineGISError("E-API-04") from None


def panels_sheet(user: User, sample_set: SampleSet) -> bytes:
    """Image, label and every model of all tiles drawn, a row per tile, as one PNG.

    Raises:
        MineGISError: E-API-03, the user may not read images of the set's region.
    """
    scores = scores_of(sample_set)
    tiles = list(dict.fromkeys(tile for score in scores for tile in score.panels))
    headings = {"image": "Image", "label": "Label"}  # as in the ablation: Pillow's own font knows no Chinese
    columns = [*headings, *(str(score.model_id) for score in scores)]
    names = [*headings.values(), *(str(score.model) for score in scores)]
    sheet = Image.new("RGB", (GAP + len(columns) * (SIDE + GAP), HEAD + max(len(tiles), 1) * (SIDE + GAP)), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    for k, heading in enumerate(names):
        text = heading
        while draw.textlength(text, font=font) > SIDE and len(text) > 1:
            text = f"{text[:-2]}…"
        draw.text((GAP + k * (SIDE + GAP), 5), text, fill="black", font=font)
    for row, tile in enumerate(tiles):
        for k, what in enumerate(columns):
            if what not in headings and tile not in next(s for s in scores if str(s.model_id) == what).panels:
                continue
            picture = Image.open(io.BytesIO(panel_picture(user, sample_set, tile, what))).convert("RGB")
            shown = picture.resize((SIDE, SIDE), Image.Resampling.NEAREST)
            sheet.paste(shown, (GAP + k * (SIDE + GAP), HEAD + row * (SIDE + GAP)))
    out = io.BytesIO()
    sheet.save(out, "PNG", optimize=True)
    return out.getvalue()
