"""The network by OpenVINO, which takes half of torch's time on a CPU that multiplies bfloat16."""

from __future__ import annotations

import io
import threading
import warnings
from typing import Any

import torch
from torch import Tensor, nn

from enhancement.lednet.blocks import AxialAttention
from minegis.openvino import cpu_has_bf16, import_openvino

OPSET = 18
SAMPLE = (1, 3, 64, 48)  # what the network is traced with
KEPT = 4  # shapes compiled at a time: frames, their small copies, tiles


class OpenVinoNetwork:
    """(N,3,H,W) float32 R, G, B to the same, like the network it is made from.

    The network is traced once (some three seconds); a shape is compiled when it first comes (about one second): it pays
    for videos, whose frames are alike, and for tiles. Where lengths of axes enter the attention as numbers
    (``length_scaling``), every shape is traced as well.

    Args:
        network: in evaluation mode.
        threads: of a pass; 0 for OpenVINO's own choice.
    """

    def __init__(self, network: nn.Module, threads: int = 0) -> None:
        self._network = network.float().eval().to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
        self._threads, self._lock = threads, threading.Lock()
        self._compiled: dict[tuple[int, ...], Any] = {}
        self._traced: bytes | None = None
        attentions = (module for module in network.modules() if isinstance(module, AxialAttention))
        self._any_shape = all(attention.trained is None for attention in attentions)
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
            graph = self._graph(shape)
            self._compiled[shape] = self._core.compile_model(graph, "CPU", hints).create_infer_request()
        return self._compiled[shape]

    def _graph(self, shape: tuple[int, ...]) -> Any:
        if not self._any_shape:
            return self._core.read_model(to_onnx(self._network, shape))
        if self._traced is None:
            self._traced = to_onnx(self._network)
        graph = self._core.read_model(self._traced)
        graph.reshape({"pictures": list(shape)})  # with a known shape it is faster
        return graph


def to_onnx(network: nn.Module, shape: tuple[int, ...] | None = None) -> bytes:
    """The network as an ONNX model, ``pictures`` -> ``enhanced``, both (N,3,H,W) float32, for one shape or for any.

    Without a shape the network must not read lengths as numbers (``length_scaling``).
    """
    buffer = io.BytesIO()
    names = ("pictures", "enhanced")
    axes = {name: {0: "n", 2: "h", 3: "w"} for name in names} if shape is None else None
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # about the exporter's age and what tracing makes constant
        torch.onnx.export(
            network,
            (torch.zeros(shape or SAMPLE),),
            buffer,  # type: ignore[arg-type]  # the tracing exporter takes a file
            dynamo=False,
            opset_version=OPSET,
            input_names=names[:1],
            output_names=names[1:],
            dynamic_axes=axes,
        )
    return buffer.getvalue()
