"""Pictures through a trained LEDNet: any size, bytes or 16 bits, one by one or several frames at a time."""

from __future__ import annotations

import importlib.util
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from enhancement.lednet.converted import OpenVinoNetwork
from enhancement.lednet.facts import SHIPPED
from enhancement.lednet.network import build
from enhancement.lednet.tiles import GUIDE, LARGEST_WHOLE, LEAST, MULTIPLE, OVERLAP, TILES, tile_side
from minegis.errors import EnhancementError, ModelError
from minegis.training import checkpoint
from minegis.training.precision import depthwise_in_single_precision
from minegis.windows import Plan, StripBlender, pad_window

Picture = np.ndarray[Any, np.dtype[Any]]
SMOOTH = 17  # pixels of that copy over which brightness is compared
MOST = 2.0  # largest factor on the brightness of a place
Batch = Callable[[Tensor], Tensor]


class Enhancer:
    """A trained network and how it is used.

    Attributes:
        card: what is known of it.
        network: (N,3,H,W) R, G, B in [0, 1], sides multiples of 8, to the same.
        tiles, overlap, largest_whole: see the constants.
        guided: give a picture read in tiles the brightness that a small copy of the whole gets: a tile by itself knows
            only its own part of the scene.
    """

    def __init__(
        self, network: Batch, card: dict[str, Any] | None = None, *, device: str | torch.device = "cpu",
        bf16: bool = False, tiles: tuple[int, int] = TILES, overlap: int = OVERLAP, largest_whole: int = LARGEST_WHOLE,
        guided: bool = True,
    ) -> None:  # fmt: skip
        self.network, self.card = network, card or {}
        self.device, self.bf16 = torch.device(device), bf16
        self.tiles, self.overlap, self.largest_whole = tiles, overlap, largest_whole
        self.guided = guided

    @classmethod
    def load(
        cls, path: Path, *, device: str = "cpu", bf16: bool = False, engine: Literal["torch", "openvino"] = "torch"
    ) -> Enhancer:
        """The network of a weights' file with a card beside it.

        Args:
            path: of the weights.
            device: for torch; OpenVINO computes on the CPU.
            bf16: half precision with torch; OpenVINO takes it where the CPU has it.
            engine: what computes. OpenVINO compiles every new size of picture anew.

        Raises:
            EnhancementError: E-ENH-15, the file is not there.
            ModelError: E-MOD-03 damaged, E-MOD-07 of another network, E-MOD-08 not numbers.
        """
        if not path.is_file():
            raise EnhancementError("E-ENH-15", value=path.name)
        state, card = checkpoint.load(path)
        network = build(card)
        checkpoint.fit(network, state, path.name)
        if engine == "openvino":
            return cls(OpenVinoNetwork(network.requires_grad_(False)), card)
        network = network.eval().requires_grad_(False).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        if bf16 and device == "cpu":
            depthwise_in_single_precision(network)
        return cls(network, card, device=device, bf16=bf16)

    def __call__(self, picture: Picture, full: float | None = None) -> Picture:
        """Enhance a picture.

        Args:
            picture: (H, W, 3), B, G, R: bytes, 16 bits, or floats in [0, 1]. NaN counts as black, infinity is clipped.
            full: the value of white in 16 bits; 65535 if None.

        Returns:
            The same size and type.

        Raises:
            EnhancementError: E-ENH-03, not such a picture.
        """
        return self.frames([picture], full)[0]

    def frames(self, pictures: Sequence[Picture], full: float | None = None) -> list[Picture]:
        """Several pictures of one size and type, in one pass of the network."""
        for picture in pictures:
            if picture.ndim != 3 or picture.shape[2] != 3 or 0 in picture.shape:
                raise EnhancementError("E-ENH-03", value=picture.shape)
        kind = pictures[0].dtype
        white = {np.dtype(np.uint8): 255.0, np.dtype(np.uint16): full or 65535.0}.get(kind, 1.0)
        floats = np.stack(pictures).astype(np.float32, copy=False)[..., ::-1].transpose(0, 3, 1, 2) / np.float32(white)
        floats = np.clip(np.nan_to_num(floats, nan=0.0, posinf=1.0, neginf=0.0), 0, 1)
        out = self.floats(floats).transpose(0, 2, 3, 1)[..., ::-1]
        if np.issubdtype(kind, np.integer):
            return list(np.floor(out * np.float32(white) + np.float32(0.5)).astype(kind))
        return list(np.ascontiguousarray(out).astype(kind, copy=False))

    def floats(self, pictures: Picture) -> Picture:
        """(N,3,H,W) float32 R, G, B in [0, 1] to the same, clipped; whole, or in tiles joined by ramps."""
        height, width = pictures.shape[2:]
        if max(height, width) <= self.largest_whole:
            return self._pass(pictures)
        tile = tile_side(height, width, self.tiles, self.overlap)
        plan = Plan(height, width, tile, self.overlap, panel_width=width)
        panel = plan.panels[0]
        result = np.empty_like(pictures)
        for picture, out in zip(pictures, result, strict=True):
            blender = StripBlender(plan, panel, 3)
            for strip, top in enumerate(plan.rows):
                for left in plan.columns:
                    part = picture[:, top : top + tile, left : left + tile]
                    blender.add(left, self._pass(pad_window(part, tile)[None])[0])
                first, last = plan.final_rows(strip)
                out[:, first:last] = blender.finished(strip)
                blender.advance(strip)
            if self.guided:
                self._match_whole(picture, out)
        return result

    def _match_whole(self, picture: Picture, out: Picture) -> None:
        """Scale ``out`` (3,H,W), in place, to the brightness that a small copy of the whole ``picture`` gets."""
        height, width = picture.shape[1:]
        ratio = GUIDE / max(height, width)
        size = [max(1, round(height * ratio)), max(1, round(width * ratio))]
        small, tiled = (F.interpolate(torch.from_numpy(x)[None], size, mode="area") for x in (picture, out))
        whole = torch.from_numpy(self._pass(small.numpy()))

        def light(x: Tensor) -> Tensor:
            grey = x.mean(1, keepdim=True)
            return F.avg_pool2d(grey, SMOOTH, 1, SMOOTH // 2, count_include_pad=False) + 2 / 255

        factor = (light(whole) / light(tiled)).clamp(1 / MOST, MOST)
        for top in range(0, height, tile_rows := max(1, 2**22 // width)):
            rows = np.arange(top, min(top + tile_rows, height))
            out[:, rows[0] : rows[-1] + 1] *= _stretched(factor[0, 0].numpy(), rows, height, width)
        np.clip(out, 0, 1, out=out)

    @torch.inference_mode()
    def _pass(self, pictures: Picture) -> Picture:
        height, width = pictures.shape[2:]
        padded = padded_to_multiple(pictures)
        batch = torch.from_numpy(np.ascontiguousarray(padded)).to(self.device, memory_format=torch.channels_last)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
            out = self.network(batch)
        result: Picture = out[..., :height, :width].float().clamp(0, 1).cpu().numpy()
        if not np.isfinite(result).all():
            raise ModelError("E-MOD-08", value=str(self.card.get("name", "?")), tensor="output")
        return result


def fastest_engine() -> Literal["cuda", "openvino", "torch"]:
    """What computes frames fastest here (measured in ``docs/results/lednet.md``): a GPU, else OpenVINO, else torch."""
    if torch.cuda.is_available():
        return "cuda"
    return "openvino" if importlib.util.find_spec("openvino") else "torch"


_shipped: dict[Path, Enhancer] = {}
_loading = threading.Lock()


def shipped(path: Path = SHIPPED) -> Enhancer:
    """The network that comes with MineGIS on this machine's fastest engine; a process loads it once.

    Its ``network`` serves one caller at a time with OpenVINO, any number with torch.

    Raises:
        EnhancementError, ModelError: see ``Enhancer.load``.
    """
    with _loading:
        if path not in _shipped:
            engine = fastest_engine()
            if engine == "cuda":
                _shipped[path] = Enhancer.load(path, device="cuda", bf16=True)
            else:
                _shipped[path] = Enhancer.load(path, engine=engine)
        return _shipped[path]


def _stretched(small: Picture, rows: Picture, height: int, width: int) -> Picture:
    """Some rows of a small map enlarged to height x width, linearly between its pixels' centres: (rows, width)."""

    def places(at: Picture, length: int, count: int) -> tuple[Picture, Picture, Picture]:
        where = np.clip((at + 0.5) * count / length - 0.5, 0, count - 1)
        low = where.astype(int)
        return low, np.minimum(low + 1, count - 1), (where - low).astype(np.float32)

    low, high, share = places(rows, height, small.shape[0])
    lines = small[low] * (1 - share[:, None]) + small[high] * share[:, None]
    low, high, share = places(np.arange(width), width, small.shape[1])
    stretched: Picture = lines[:, low] * (1 - share) + lines[:, high] * share
    return stretched


def padded_to_multiple(pictures: Picture, multiple: int = MULTIPLE) -> Picture:
    """(..., H, W) continued to the right and below to multiples of 8, at least 16; by reflection if there is enough."""
    height, width = pictures.shape[-2:]
    missing = [(0, max(LEAST, -(-length // multiple) * multiple) - length) for length in (height, width)]
    if missing == [(0, 0), (0, 0)]:
        return pictures
    for axis, (length, gap) in enumerate(zip((height, width), missing, strict=True)):
        gaps = [(0, 0)] * pictures.ndim
        gaps[pictures.ndim - 2 + axis] = gap
        pictures = np.pad(pictures, gaps, mode="edge" if length < LEAST else "reflect")
    return pictures
