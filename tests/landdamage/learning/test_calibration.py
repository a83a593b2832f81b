"""Temperature and the quality of confidences, on blended windows."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from landdamage.learning.calibration import Sample, calibrate, expected_calibration_error, fit_temperature, quality

NAMES = [f"class {k}" for k in range(8)]


def honest(count: int, seed: int = 0) -> Sample:
    """Logits whose softmax is the true distribution of the labels."""
    torch.manual_seed(seed)
    logits = torch.randn(count, 8) * 2
    return Sample.of_single(logits, torch.distributions.Categorical(logits=logits).sample())


def test_temperature_is_found_again() -> None:
    sample = honest(20_000)
    overconfident = Sample.of_single(sample.logits * 3, sample.labels)
    found = calibrate(overconfident, NAMES)
    assert found["temperature"] == pytest.approx(3, rel=0.05)
    assert found["pixels"] == 20_000
    assert found["before"]["ece"] > 0.1
    assert found["after"]["ece"] < 0.02
    assert found["after"]["nll"] < found["before"]["nll"]
    assert found["after"]["brier"] < found["before"]["brier"]
    assert set(found["after"]["ece_per_class"]) == set(NAMES)


def test_temperature_minimises_the_error_of_the_blend_not_of_the_windows() -> None:
    """Two windows that contradict each other: blended they are less sure, T must not soften again."""
    sample = honest(8000)
    torch.manual_seed(1)
    one, two = (sample.logits + torch.randn_like(sample.logits) for _ in range(2))
    number = torch.arange(8000)
    blended = Sample(torch.cat([one, two]), torch.full((16000,), 0.5), torch.cat([number, number]), sample.labels)
    fitted = fit_temperature(blended)
    alone = fit_temperature(Sample.of_single(one, sample.labels))
    assert fitted < alone - 0.1

    def nll(temperature: float) -> float:
        return quality(blended.probabilities(temperature), blended.labels, NAMES)["nll"]

    assert nll(fitted) <= min(nll(0.9 * fitted), nll(1.1 * fitted))


def test_blended_probabilities_are_the_weighted_mean() -> None:
    logits = torch.tensor([[0.0, math.log(3)], [0.0, 0.0], [math.log(9), 0.0]])
    sample = Sample(logits, torch.tensor([0.25, 0.75, 1.0]), torch.tensor([0, 0, 1]), torch.tensor([1, 0]))
    assert torch.allclose(sample.probabilities(), torch.tensor([[0.4375, 0.5625], [0.9, 0.1]]))
    joined = Sample.joined([sample, sample])
    assert torch.equal(joined.probabilities(), sample.probabilities().repeat(2, 1))
    assert joined.labels.tolist() == [1, 0, 1, 0]


def test_known_errors() -> None:
    probabilities = torch.tensor([[0.8, 0.2], [0.8, 0.2], [0.4, 0.6], [0.4, 0.6]])
    labels = torch.tensor([0, 1, 1, 1])
    found = quality(probabilities, labels, ["rest", "tailings"])
    # Four pixels in fifteen bins are four bins of one: |0.8 - 1|, |0.8 - 0|, |0.6 - 1| twice.
    assert found["ece"] == pytest.approx((0.2 + 0.8 + 0.4 + 0.4) / 4)
    assert found["ece_foreground"] == found["ece_per_class"]["tailings"] == pytest.approx(0.4)
    assert found["ece_per_class"]["rest"] == pytest.approx(0.5)
    assert found["nll"] == pytest.approx(-np.log([0.8, 0.2, 0.6, 0.6]).mean(), abs=1e-4)
    assert found["brier"] == pytest.approx((0.08 + 1.28 + 0.32 + 0.32) / 4)


def test_bins_hold_equal_counts() -> None:
    """Confidence 0.9 in 30 pixels of which 27 are right: in equal-count bins of two the gaps do not cancel."""
    probabilities = torch.tensor([[0.9, 0.1]]).repeat(30, 1)
    labels = torch.tensor([0, 0, 0, 0, 0, 0, 0, 0, 0, 1] * 3)
    bins = [labels[2 * k : 2 * k + 2] for k in range(15)]
    gaps = [abs(0.9 - float((b == 0).float().mean())) for b in bins]
    order = probabilities.max(dim=1).values.argsort()
    if torch.equal(order, torch.arange(30)):
        assert expected_calibration_error(probabilities, labels) == pytest.approx(np.mean(gaps), abs=1e-5)
    assert expected_calibration_error(probabilities, torch.zeros(30, dtype=torch.long)) == pytest.approx(0.1, abs=1e-5)


def test_nothing_observed_cannot_be_calibrated() -> None:
    with pytest.raises(ValueError, match="no observed pixel"):
        fit_temperature(Sample.of_single(torch.zeros(0, 8), torch.zeros(0, dtype=torch.long)))
