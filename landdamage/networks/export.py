"""A network as ONNX, for runtimes other than torch."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping

import torch
from torch import nn

OPSET = 18
INPUT, OUTPUT = "windows", "logits"


def to_onnx(network: nn.Module, channels: int, tile: int, facts: Mapping[str, str] | None = None) -> bytes:
    """A network in float32 as an ONNX model: ``windows`` (n,channels,tile,tile) -> ``logits`` (n,classes,tile,tile).

    The number of windows is free, the tile is not: norms and poolings take statistics over the whole tile, so a
    network belongs to the tile it was trained on. torch's exporter by tracing is used because it is done in a second
    or two where the one by ``torch.export`` takes three times as long.

    Args:
        network: from ``build``, with its weights; left in evaluation mode.
        channels: of its input.
        tile: height and width of the windows in pixels.
        facts: written into the model's metadata.
    """
    import onnx

    buffer = io.BytesIO()
    windows = torch.zeros(1, channels, tile, tile)
    network = network.eval().float().to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # about the exporter's age and about what it leaves unfolded
        torch.onnx.export(
            network,
            (windows,),
            buffer,  # type: ignore[arg-type]  # the tracing exporter takes a file
            dynamo=False,
            opset_version=OPSET,
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_axes={INPUT: {0: "n"}, OUTPUT: {0: "n"}},
        )
    model = onnx.load_from_string(buffer.getvalue())
    onnx.helper.set_model_props(model, dict(facts or {}))
    return model.SerializeToString(deterministic=True)
