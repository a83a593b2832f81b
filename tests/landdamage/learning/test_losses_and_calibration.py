"""Loss and temperature against hand-made cases."""

from __future__ import annotations

import math

import pytest
import torch

from landdamage.learning.calibration import expected_calibration_error, fit_temperature
from landdamage.learning.losses import class_weights, dice_loss, segmentation_loss


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


def test_temperature_is_found_again() -> None:
    torch.manual_seed(0)
    truth = torch.randn(20_000, 8) * 2
    labels = torch.distributions.Categorical(logits=truth).sample()
    overconfident = truth * 3
    temperature = fit_temperature(overconfident, labels)
    assert temperature == pytest.approx(3, rel=0.05)
    assert expected_calibration_error(overconfident, labels, temperature) < 0.02
    assert expected_calibration_error(overconfident, labels) > 0.1


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
