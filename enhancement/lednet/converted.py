"""The network by OpenVINO, which takes half of torch's time on a CPU that multiplies bfloat16."""

from __future__ import annotations

import io
import threading
import warnings
from typing import Any

import torch
from torch import Tensor, nn

from minegis.openvino import cpu_has_bf16, import_openvino

OPSET = 18
KEPT = 4  # shapes compiled at a time: frames, their small copies, tiles


class OpenVinoNetwork:
    """(N,3,H,W) float32 R, G, B to the same, like the network it is made from.

    A shape is traced and compiled when it first comes (a second or two), because lengths of axes enter the attention:
    it pays for videos, whose frames are alike, and for tiles.

    Args:
        network: in evaluation mode.
        threads: of a pass; 0 for OpenVINO's own choice.
    """

    def __init__(self, network: nn.Module, threads: int = 0) -> None:
        self._network = network.float().eval().to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
        self._threads, self._lock = threads, threading.Lock()
        self._compiled: dict[tuple[int, ...], Any] = {}
        self._core = import_openvino().Core()
        self.bf16 = cpu_has_bf16()

    def __call__(self, batch: Tensor) -> Tensor:
        """One pass."""
        with self._lock:  # a request serves one caller at a time, and segments of a video are many
            request = self._request(tuple(batch.shape))
            return torch.from_numpy(request.infer([batch.contiguous().numpy()])[0].copy())

    def _request(self, shape: tuple[int, ...]) -> Any:
        if shape not in self._compiled:
            while len(self._compiled) >= KEPT:
                self._compiled.pop(next(iter(self._compiled)))
            hints = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "bf16" if self.bf16 else "f32"}
            if self._threads:
                hints["INFERENCE_NUM_THREADS"] = str(self._threads)
            graph = self._core.read_model(to_onnx(self._network, shape))
            self._compiled[shape] = self._core.compile_model(graph, "CPU", hints).create_infer_request()
        return self._compiled[shape]


def to_onnx(network: nn.Module, shape: tuple[int, ...]) -> bytes:
    """The network for one shape of input as an ONNX model: ``pictures`` -> ``enhanced``, both (N,3,H,W) float32."""
    buffer = io.BytesIO()
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # about the exporter's age and what tracing makes constant
        torch.onnx.export(
            network,
            (torch.zeros(shape),),
            buffer,  # type: ignore[arg-type]  # the tracing exporter takes a file
            dynamo=False,
            opset_version=OPSET,
            input_names=["pictures"],
            output_names=["enhanced"],
        )
    return buffer.getvalue()
