"""Losses against hand-made cases, closed forms and the definition of Lovász."""

from __future__ import annotations

import math

import pytest
import torch

from landdamage.learning.losses import (
    LOSSES,
    NOT_TAILINGS,
    class_weights,
    cross_entropy,
    dice_loss,
    focal_loss,
    lovasz_softmax,
    segmentation_loss,
)


def logits_for(target: torch.Tensor, confidence: float) -> torch.Tensor:
    return torch.nn.functional.one_hot(target.clamp(max=7), 8).permute(0, 3, 1, 2).float() * confidence


def test_perfect_prediction_costs_nothing() -> None:
    target = torch.randint(0, 8, (2, 8, 8))
    assert dice_loss(logits_for(target, 50), target).item() == pytest.approx(0, abs=1e-5)
    assert segmentation_loss(logits_for(target, 50), target, label_smoothing=0).item() == pytest.approx(0, abs=1e-5)


def test_ignored_pixels_cost_nothing_and_have_no_gradient() -> None:
    target = torch.randint(0, 8, (2, 8, 8))
    target[:, :4] = 255
    logits = torch.randn(2, 8, 8, 8, requires_grad=True)
    segmentation_loss(logits, target).backward()
    assert logits.grad is not None
    assert (logits.grad[:, :, :4] == 0).all()
    assert (logits.grad[:, :, 4:] != 0).any()


def test_nothing_observed_is_zero_not_nan() -> None:
    loss = segmentation_loss(torch.randn(1, 8, 4, 4), torch.full((1, 4, 4), 255))
    assert loss.item() == 0


def test_ignorance_costs_ln_8() -> None:
    target = torch.arange(8).repeat(1, 8, 1)
    loss = segmentation_loss(torch.zeros(1, 8, 8, 8), target)
    overlap, truth, predicted = 1, 8, 8  # of each class: 64 pixels at probability 1/8
    dice = (2 * overlap + 1) / (truth + predicted + 1)
    assert loss.item() == pytest.approx(0.5 * math.log(8) + 0.5 * (1 - dice), rel=1e-5)


def test_class_weights_follow_the_root_of_rarity() -> None:
    weights = class_weights(torch.tensor([10_000, 2_500, 0, 2_500]))
    assert weights.mean().item() == pytest.approx(1)
    assert weights[1] / weights[0] == pytest.approx(2)
    assert weights[2] == weights[1]
    assert class_weights(torch.tensor([10**9, 1, 10**9])).min() > 0.1


def test_weights_shift_the_loss_but_not_its_scale() -> None:
    target = torch.tensor([[[0, 0, 0, 1]]])
    logits = torch.zeros(1, 2, 1, 4)
    even = segmentation_loss(logits, target, label_smoothing=0)
    weighted = segmentation_loss(logits, target, torch.tensor([0.5, 1.5]), label_smoothing=0)
    assert weighted.item() == pytest.approx(even.item())


def test_weights_stay_between_a_half_and_four_times_the_mean() -> None:
    weights = class_weights(torch.tensor([10**9, 10**8, 10**7, 10**6, 10**5, 10**4, 10**3, 10]))
    assert weights.max() / weights.min() <= 8 + 1e-4
    assert weights.max() / weights.min() > 7.9


@pytest.mark.parametrize("weights", [None, torch.linspace(0.5, 2, 8)])
def test_focal_loss_without_focus_is_cross_entropy(weights: torch.Tensor | None) -> None:
    torch.manual_seed(0)
    logits, target = torch.randn(2, 8, 6, 6), torch.randint(0, 8, (2, 6, 6))
    target[0, :3] = 255
    plain = cross_entropy(logits, target, weights, label_smoothing=0)
    assert focal_loss(logits, target, weights, gamma=0).item() == pytest.approx(plain.item(), rel=1e-5)


def test_focal_loss_of_even_odds() -> None:
    loss = focal_loss(torch.zeros(1, 2, 1, 3), torch.tensor([[[0, 1, 255]]]))
    assert loss.item() == pytest.approx(0.25 * math.log(2), rel=1e-5)


def test_focal_loss_minds_hard_pixels() -> None:
    target = torch.zeros(1, 1, 1, dtype=torch.long)
    easy, hard = (torch.tensor([x, 0.0]).reshape(1, 2, 1, 1) for x in (3.0, -3.0))
    ratio = focal_loss(hard, target) / focal_loss(easy, target)
    assert ratio > 100 * cross_entropy(hard, target, None, 0) / cross_entropy(easy, target, None, 0)


@pytest.mark.parametrize("seed", range(5))
def test_lovasz_of_hard_decisions_is_one_minus_iou(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    target = torch.randint(0, 4, (2, 6, 6), generator=generator)
    found = torch.randint(0, 4, (2, 6, 6), generator=generator)
    target[1, :2] = 255
    seen = target != 255
    missed = [
        1 - ((found == k) & (target == k)).sum() / (((found == k) | (target == k)) & seen).sum() for k in range(4)
    ]
    logits = torch.nn.functional.one_hot(found, 4).permute(0, 3, 1, 2).float() * 100
    assert lovasz_softmax(logits, target).item() == pytest.approx(torch.stack(missed).mean().item(), abs=1e-5)


def test_lovasz_means_over_present_classes_only() -> None:
    target = torch.tensor([[[1, 1]]])
    logits = torch.tensor([0.0, 50.0, 0.0]).reshape(1, 3, 1, 1).expand(1, 3, 1, 2)
    assert lovasz_softmax(logits, target).item() == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("progress", [0.0, 0.9])
def test_every_mixture_learns_and_ignores_255(name: str, progress: float) -> None:
    torch.manual_seed(0)
    target = torch.randint(0, 4, (2, 6, 6))
    target[:, :2] = 255
    logits = torch.randn(2, 4, 6, 6, requires_grad=True)
    weights = torch.tensor([0.5, 1.0, 1.0, 1.5])
    start = LOSSES[name](logits, target, weights, progress)
    start.backward()
    assert logits.grad is not None
    assert (logits.grad[:, :, :2] == 0).all()
    better = (logits - 5 * logits.grad / logits.grad.norm()).detach()
    assert LOSSES[name](better, target, weights, progress) < start
    nothing = LOSSES[name](logits, torch.full_like(target, 255), weights, progress)
    assert nothing.item() == 0
    nothing.backward()  # a batch without labels is no reason to stop


def test_lovasz_takes_over_in_the_last_fifth() -> None:
    torch.manual_seed(0)
    logits, target = torch.randn(1, 4, 6, 6), torch.randint(0, 4, (1, 6, 6))
    mixture, late = LOSSES["ce-dice-lovasz"], LOSSES["ce-lovasz"](logits, target, None, 0.0)
    assert mixture(logits, target, None, 0.79) == LOSSES["ce-dice"](logits, target, None, 0.79)
    assert mixture(logits, target, None, 0.8) == late
    assert late != LOSSES["ce-dice"](logits, target, None, 0.0)


def test_ground_known_to_be_no_tailings_is_pushed_away_from_them_alone() -> None:
    target = torch.zeros(2, 8, 8, dtype=torch.long)
    target[:, :4] = NOT_TAILINGS
    logits = torch.zeros(2, 8, 8, 8, requires_grad=True)
    loss = LOSSES["ce-dice"](logits, target, None, 0.0)
    loss.backward()
    assert logits.grad is not None
    barred = logits.grad[:, :, :4]
    assert (barred[:, 6] > 0).all()
    assert torch.allclose(barred[:, [c for c in range(8) if c != 6]], -barred[:, 6:7] / 7, atol=1e-7)
    known = LOSSES["ce-dice"](logits.detach()[:, :, 4:], target[:, 4:], None, 0.0)
    # Dice is that of the known half; the loss per pixel is the mean of both halves, -ln(7/8) in the barred one.
    assert loss.item() == pytest.approx(known.item() + 0.5 * 0.5 * (-math.log(7 / 8) - math.log(8)), rel=1e-5)


def test_a_batch_of_nothing_but_ground_without_tailings_is_learned_from() -> None:
    logits = torch.randn(1, 8, 4, 4, requires_grad=True)
    loss = LOSSES["ce-lovasz"](logits, torch.full((1, 4, 4), NOT_TAILINGS), None, 0.0)
    loss.backward()
    assert loss.item() > 0
    assert logits.grad is not None
    assert (logits.grad[:, 6] > 0).all()
