"""The network as something that turns windows into logits, whichever library computes it.

Torch and the other libraries are imported when an engine is loaded, so that a process that never interprets never pays
for them, nor one that uses a converted model for torch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from landdamage.interpretation.models import ModelCard
from minegis.errors import ModelError

Kind = Literal["eager", "onnxruntime", "openvino"]
KINDS: tuple[Kind, ...] = get_args(Kind)


class Engine(ABC):
    """A network ready to run.

    Attributes:
        kind: which of ``KINDS`` it is.
        card: what the model is.
        name: library, device and number type, recorded with every result.
        classes: number of classes out.
        batch: how many windows to give at once.
        temperature: what logits are divided by before the softmax.
    """

    kind: ClassVar[Kind]

    def __init__(self, card: ModelCard, name: str, batch: int) -> None:
        self.card, self.name, self.batch = card, name, batch
        self.classes = int(card.network["classes"])
        self.temperature = card.temperature

    def logits(self, batch: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """What the network says of normalised windows, before temperature and softmax.

        Args:
            batch: (N, bands, H, W) float32, invalid pixels and missing bands 0; converted models take windows of the
                card's size only.

        Returns:
            For each view of the windows (N, classes, H, W) float32, C-contiguous and finite. A mirrored card has two
            views, both in the geometry of the windows; the mean of their probabilities is the result.

        Raises:
            ModelError: E-MOD-06 the result is not a number, in single precision neither.
        """
        views = [self._finite(batch)]
        if self.card.mirrored:
            mirrored = self._finite(np.ascontiguousarray(batch[..., ::-1]))
            views.append(np.ascontiguousarray(mirrored[..., ::-1]))
        return views

    def probabilities(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Class probabilities of normalised windows: mean over the views, calibrated with the card's temperature.

        Args:
            batch: as for ``logits``, with the same errors.

        Returns:
            (N, classes, H, W) float32, summing to 1 over the classes.
        """
        views = self.logits(batch)
        return sum(softmax(view, self.temperature) for view in views) / np.float32(len(views))  # type: ignore[return-value]

    def _finite(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logits of the windows as they are."""
        found = self._logits(batch)
        if not np.isfinite(found.sum()):  # one pass; what is not a number anywhere is none in the sum
            # Half-precision kernels have been seen to fail in passing; a NaN would silently become background.
            found = self._exact(batch)
            if not np.isfinite(found.sum()):
                raise ModelError("E-MOD-06", value=self.card.name)
        return found

    @abstractmethod
    def _logits(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logits of the windows, C-contiguous, without a look at them."""

    @abstractmethod
    def _exact(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """The same in single precision by the reference."""


def softmax(logits: NDArray[np.float32], temperature: float) -> NDArray[np.float32]:
    """Probabilities over axis 1 of (N, classes, H, W), in place."""
    logits /= np.float32(temperature)
    logits -= logits.max(axis=1, keepdims=True)
    np.exp(logits, out=logits)
    logits /= logits.sum(axis=1, keepdims=True)
    return logits


def load_engine(card: ModelCard, device: str = "auto", kind: Kind = "eager") -> Engine:
    """Make a model ready to run.

    Args:
        card: the model.
        device: ``auto`` (CUDA if there is any), ``cpu`` or ``cuda``. CUDA always computes in bfloat16, a CPU where
            its hardware has it.
        kind: ``eager`` (torch, the reference), or on a CPU ``onnxruntime`` (float32) or ``openvino``; which is
            fastest here ``choice.choose_engine`` knows.

    Raises:
        ModelError: E-MOD-03 the weights are missing or damaged, or the card describes no network; E-MOD-07 they do not
            fit it; E-MOD-08 they are not numbers; E-MOD-14 such an engine does not run here.
    """
    if kind == "eager":
        from landdamage.interpretation.eager import load_eager

        return load_eager(card, device)
    if kind not in KINDS:
        raise ModelError("E-MOD-14", value=kind, reason=", ".join(KINDS))
    if device == "cuda":
        raise ModelError("E-MOD-14", value=kind, reason="CUDA")
    from landdamage.interpretation.runtimes import load_runtime

    return load_runtime(card, kind)


def has_cuda() -> bool:
    """Whether torch sees a CUDA device; without importing it where its build cannot."""
    from importlib.metadata import version

    if version("torch").endswith("+cpu"):
        return False
    import torch

    return torch.cuda.is_available()
