"""Engines for CPUs that run a converted model: ONNX Runtime, and OpenVINO, which computes in bfloat16 where it can."""

from __future__ import annotations

import os

import numpy as np
from numpy.typing import NDArray

from landdamage.interpretation.conversion import converted
from landdamage.interpretation.engine import Engine, Kind
from landdamage.interpretation.models import ModelCard
from minegis.errors import ModelError
from minegis.openvino import cpu_has_bf16, import_openvino


class RuntimeEngine(Engine):
    """What both have in common: windows of the card's size, and torch in single precision as the reference."""

    _reference: Engine | None = None

    def _exact(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        from landdamage.interpretation.eager import load_eager

        self._reference = self._reference or load_eager(self.card, "cpu", bf16=False)
        return self._reference._exact(batch)


class OnnxRuntimeEngine(RuntimeEngine):
    """ONNX Runtime on the CPU, in float32."""

    kind = "onnxruntime"

    def __init__(self, card: ModelCard, model: bytes) -> None:
        import onnxruntime

        onnxruntime.disable_telemetry_events()
        super().__init__(card, f"onnxruntime {onnxruntime.__version__}, cpu, float32", 1)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads()
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def _logits(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        return self._session.run(None, {"windows": batch})[0]


class OpenVinoEngine(RuntimeEngine):
    """OpenVINO on the CPU, one window at a time, in bfloat16 where the hardware has it."""

    kind = "openvino"

    def __init__(self, card: ModelCard, model: bytes) -> None:
        openvino = import_openvino()
        bf16 = cpu_has_bf16()
        version = openvino.get_version().split("-")[0]
        super().__init__(card, f"openvino {version}, cpu, {'bfloat16' if bf16 else 'float32'}", 1)
        core = openvino.Core()
        graph = core.read_model(model)
        graph.reshape([1, int(card.network["in_channels"]), card.window, card.window])
        settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "bf16" if bf16 else "f32"}
        if threads():
            settings["INFERENCE_NUM_THREADS"] = str(threads())
        self._request = core.compile_model(graph, "CPU", settings).create_infer_request()

    def _logits(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.concatenate([self._request.infer([window[None]])[0] for window in batch])


def threads() -> int:
    """How many threads the user wants, from OMP_NUM_THREADS as torch takes it; 0 for the library's own choice."""
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    return int(wanted) if wanted.isdecimal() else 0


def load_runtime(card: ModelCard, kind: Kind) -> Engine:
    """See ``engine.load_engine``; ``kind`` is ``onnxruntime`` or ``openvino``."""
    engines = {"onnxruntime": OnnxRuntimeEngine, "openvino": OpenVinoEngine}
    model = converted(card)
    try:
        return engines[kind](card, model)
    except (ImportError, RuntimeError, ValueError) as error:
        reason = str(error).strip().splitlines()
        raise ModelError("E-MOD-14", value=kind, reason=reason[0][:200] if reason else "?") from error
