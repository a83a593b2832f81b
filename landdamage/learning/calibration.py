"""Temperature scaling (Guo et al. 2017): one number that makes softmax confidences mean what they say.

A scene is read window by window, and where windows overlap their probabilities are averaged. What must be calibrated is
that average, so every sampled pixel keeps the logits of all windows that show it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

BINS = 15
LIMITS = (0.05, 20.0)  # of the temperature
TINY = 1e-12
DIGITS = 4


@dataclass(frozen=True, slots=True)
class Sample:
    """Observed pixels with what each window said about them.

    Attributes:
        logits: (E,classes) float32, one row per pixel and window that shows it.
        weights: (E,) blending weight of the window at the pixel; those of one pixel sum to 1.
        pixels: (E,) int64 number of the pixel, 0..P-1.
        labels: (P,) int64 classes.
    """

    logits: Tensor
    weights: Tensor
    pixels: Tensor
    labels: Tensor

    @classmethod
    def of_single(cls, logits: Tensor, labels: Tensor) -> Sample:
        """Pixels that one window each has seen: (P,classes), (P,)."""
        return cls(logits, torch.ones(len(labels)), torch.arange(len(labels)), labels)

    @classmethod
    def joined(cls, samples: Sequence[Sample]) -> Sample:
        """Several samples as one."""
        offsets = torch.tensor([0, *(len(s.labels) for s in samples[:-1])]).cumsum(0)
        return cls(
            torch.cat([s.logits for s in samples]),
            torch.cat([s.weights for s in samples]),
            torch.cat([s.pixels + offset for s, offset in zip(samples, offsets, strict=True)]),
            torch.cat([s.labels for s in samples]),
        )

    def probabilities(self, temperature: float | Tensor = 1.0) -> Tensor:
        """(P,classes): the weighted mean over windows of softmax(logits / temperature), as interpretation blends."""
        said = (self.logits / temperature).softmax(dim=1) * self.weights[:, None]
        return said.new_zeros(len(self.labels), said.shape[1]).index_add(0, self.pixels, said)


def fit_temperature(sample: Sample) -> float:
    """The T that minimises the cross-entropy of the blended probabilities of pixels not trained on, within 0.05-20.

    Outside that range a network knows nothing, or everything: no factor would make its confidences honest.

    Raises:
        ValueError: the sample is empty.
    """
    if not len(sample.labels):
        raise ValueError("no observed pixel to calibrate on")
    log_t = torch.zeros((), requires_grad=True)
    optimiser = torch.optim.LBFGS([log_t], max_iter=50, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimiser.zero_grad()
        loss = _nll(sample.probabilities(log_t.exp()), sample.labels)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimiser.step(closure)  # type: ignore[no-untyped-call]
    return float(log_t.detach().exp().clamp(*LIMITS))


def _nll(probabilities: Tensor, labels: Tensor) -> Tensor:
    return F.nll_loss(probabilities.clamp(min=TINY).log(), labels)


def expected_calibration_error(probabilities: Tensor, labels: Tensor) -> float:
    """Mean gap between confidence and accuracy over 15 bins of equal count, 0-1.

    Args:
        probabilities: (P,classes).
        labels: (P,) int64.
    """
    confidence, predicted = probabilities.max(dim=1)
    order = confidence.argsort()
    right = (predicted == labels).float()[order]
    gaps = [
        (c.mean() - r.mean()).abs() * len(c) / len(order)
        for c, r in zip(confidence[order].tensor_split(BINS), right.tensor_split(BINS), strict=True)
        if len(c)
    ]
    return float(torch.stack(gaps).sum()) if gaps else float("nan")


def quality(probabilities: Tensor, labels: Tensor, names: Sequence[str]) -> dict[str, Any]:
    """How far confidences can be trusted.

    Args:
        probabilities: (P,classes).
        labels: (P,) int64.
        names: of the classes, background first.

    Returns:
        ``ece``, ``ece_foreground`` (of pixels predicted as anything but background), ``ece_per_class`` (of pixels
        predicted as that class), ``nll`` (mean, in nats) and ``brier`` (mean squared distance of the probabilities
        from the truth over all classes, 0-2), rounded; None where no pixel is predicted so.
    """
    predicted = probabilities.argmax(dim=1)

    def ece(chosen: Tensor) -> float | None:
        if not chosen.any():
            return None
        return round(expected_calibration_error(probabilities[chosen], labels[chosen]), DIGITS)

    truth = F.one_hot(labels, probabilities.shape[1])
    return {
        "ece": ece(torch.ones_like(predicted, dtype=torch.bool)),
        "ece_foreground": ece(predicted > 0),
        "ece_per_class": {name: ece(predicted == k) for k, name in enumerate(names) if (predicted == k).any()},
        "nll": round(float(_nll(probabilities, labels)), DIGITS),
        "brier": round(float((probabilities - truth).square().sum(dim=1).mean()), DIGITS),
    }


def calibrate(sample: Sample, names: Sequence[str]) -> dict[str, Any]:
    """Fit the temperature, judge confidences without and with it: ``temperature``, ``pixels``, ``before``, ``after``.

    Raises:
        ValueError: the sample is empty.
    """
    temperature = fit_temperature(sample)
    with torch.no_grad():
        before, after = sample.probabilities(), sample.probabilities(temperature)
    return {
        "temperature": round(temperature, DIGITS),
        "pixels": len(sample.labels),
        "before": quality(before, sample.labels, names),
        "after": quality(after, sample.labels, names),
    }
