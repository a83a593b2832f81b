"""What LEDNet is compared with: classical brightening, and published networks with their authors' weights.

The networks are computed from their state dicts by their published formulas, in inference only. The files are the
user's: Zero-DCE (Guo et al. 2020), SCI (Ma et al. 2022), RUAS (Liu et al. 2021), IAT (Cui et al. 2022), PairLIE
(Fu et al. 2023).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from scipy import ndimage
from skimage import color, exposure
from torch import Tensor

from minegis.training.foreign import read_state_dict

Picture = np.ndarray[Any, np.dtype[Any]]
Method = Callable[[Picture], Picture]
State = dict[str, Tensor]
GAMMA = 0.4
PAIRLIE_POWER = 0.14  # the authors' for LOL


def gamma(picture: Picture) -> Picture:
    """I^0.4."""
    return picture**GAMMA


def gamma_sharpened(picture: Picture) -> Picture:
    """I^0.4, then an unsharp mask of σ 2 and strength 1."""
    bright = gamma(picture)
    return np.clip(2 * bright - ndimage.gaussian_filter(bright, (2, 2, 0)), 0, 1)


def clahe(picture: Picture) -> Picture:
    """Contrast-limited adaptive equalisation of the lightness of CIE Lab, clip limit 0.03."""
    lab = color.rgb2lab(picture[:, :, ::-1])
    lab[:, :, 0] = exposure.equalize_adapthist(np.clip(lab[:, :, 0] / 100, 0, 1), clip_limit=0.03) * 100
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # colours outside sRGB are clipped, as meant
        return np.clip(color.lab2rgb(lab), 0, 1)[:, :, ::-1].astype(np.float32)


def _conv(s: State, name: str, x: Tensor, dilation: int = 1, **more: Any) -> Tensor:
    weight = s[f"{name}.weight"]
    return F.conv2d(
        x, weight, s.get(f"{name}.bias"), padding=weight.shape[-1] // 2 * dilation, dilation=dilation, **more
    )


def _batch_norm(s: State, name: str, x: Tensor) -> Tensor:
    mean, variance, weight, bias = (s[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias"))
    return F.batch_norm(x, mean, variance, weight, bias)


def zero_dce(s: State, x: Tensor) -> Tensor:
    """Eight curves x + a (x² - x), a by seven convolutions joined symmetrically."""
    one = _conv(s, "e_conv1", x).relu()
    two = _conv(s, "e_conv2", one).relu()
    three = _conv(s, "e_conv3", two).relu()
    four = _conv(s, "e_conv4", three).relu()
    five = _conv(s, "e_conv5", torch.cat([three, four], 1)).relu()
    six = _conv(s, "e_conv6", torch.cat([two, five], 1)).relu()
    for a in _conv(s, "e_conv7", torch.cat([one, six], 1)).tanh().split(3, 1):
        x = x + a * (x * x - x)
    return x


def sci(s: State, x: Tensor) -> Tensor:
    """Illumination i = x + f(x), result x / i."""
    feature = _conv(s, "enhance.in_conv.0", x).relu()
    feature = feature + _batch_norm(s, "enhance.blocks.0.1", _conv(s, "enhance.blocks.0.0", feature)).relu()
    light = _conv(s, "enhance.out_conv.0", feature).sigmoid() + x
    return x / light.clamp(1e-4, 1)


def ruas(s: State, x: Tensor) -> Tensor:
    """Three unrolled divisions by an illumination of searched cells, then a residual denoiser of three cells."""

    def act(y: Tensor) -> Tensor:
        return F.leaky_relu(y, 0.05)

    def largest(y: Tensor) -> Tensor:
        return F.max_pool2d(F.pad(y, (0, 1, 0, 1)), 2, 1)

    def residual(name: str, y: Tensor, dilation: int = 1) -> Tensor:
        return _conv(s, name, y, dilation) + y

    result = torch.ones_like(x)
    for k in range(3):
        light = largest(x) if k == 0 else largest(result) - 0.5 * (result - x)
        cell = f"enhance_net.iems.{k}.cell."
        first = act(residual(cell + "c1_r.op", light) + light)
        second = act(_conv(s, cell + "c2_r.op", first) + first)
        third = act(second + second)
        parts = [act(light), act(residual(cell + "c2_d.op", first, 2)), act(_conv(s, cell + "c3_d.op", second))]
        joined = torch.cat([*parts, act(_conv(s, cell + "c4.op", third))], 1)
        result = (x / _conv(s, cell + "c5", joined).sigmoid().clamp(0.001, 1)).clamp(0, 1)
    feature = _conv(s, "denoise_net.stem", result)
    for k in range(3):
        cell = f"denoise_net.nrms.{k}."
        first = act(residual(cell + "c1_r.op", feature) + feature)
        second = act(first + first)
        third = act(residual(cell + "c3_r.op", second) + second)
        parts = [act(residual(cell + "c1_d.op", feature)), act(residual(cell + "c2_d.op", first, 2))]
        feature = _conv(s, cell + "c5", torch.cat([*parts, act(residual(cell + "c3_d.op", second)), act(third)], 1))
    return result - _conv(s, "denoise_net.activate.0", feature)


def iat(s: State, x: Tensor) -> Tensor:
    """A local factor and summand of every pixel, then one colour matrix and one exponent for the picture."""

    def norm(name: str, y: Tensor) -> Tensor:
        mixed = torch.tensordot(y.permute(0, 2, 3, 1), s[f"{name}.color"], dims=([-1], [-1]))
        return (mixed * s[f"{name}.alpha"] + s[f"{name}.beta"]).permute(0, 3, 1, 2)

    def block(name: str, y: Tensor) -> Tensor:
        y = y + _conv(s, f"{name}.pos_embed", y, groups=16)
        inner = _conv(s, f"{name}.attn", _conv(s, f"{name}.conv1", norm(f"{name}.norm1", y)), groups=16)
        y = y + s[f"{name}.gamma_1"] * _conv(s, f"{name}.conv2", inner)
        wide = F.gelu(_conv(s, f"{name}.mlp.fc1", norm(f"{name}.norm2", y)))
        return y + s[f"{name}.gamma_2"] * _conv(s, f"{name}.mlp.fc2", wide)

    start = F.leaky_relu(_conv(s, "local_net.conv1", x), 0.2)
    factor, summand = start, start
    for k in range(3):
        factor, summand = block(f"local_net.mul_blocks.{k}", factor), block(f"local_net.add_blocks.{k}", summand)
    factor = _conv(s, "local_net.mul_end.0", factor + start).relu()
    bright = x * factor + _conv(s, "local_net.add_end.0", summand + start).tanh()

    y = _conv(s, "global_net.conv_large.proj.0", x, stride=2)
    y = F.gelu(_batch_norm(s, "global_net.conv_large.proj.1", y))
    y = _batch_norm(s, "global_net.conv_large.proj.4", _conv(s, "global_net.conv_large.proj.3", y, stride=2))
    g = "global_net.generator."
    y = (y + _conv(s, g + "pos_embed", y, groups=64)).flatten(2).transpose(1, 2)
    tokens = F.layer_norm(y, (64,), s[g + "norm1.weight"], s[g + "norm1.bias"])
    heads = [
        t.reshape(1, -1, 4, 16).transpose(1, 2)
        for t in (s[g + "attn.q"], F.linear(tokens, s[g + "attn.k.weight"]), F.linear(tokens, s[g + "attn.v.weight"]))
    ]
    mixed = F.scaled_dot_product_attention(heads[0], heads[1], heads[2]).transpose(1, 2).reshape(1, 10, 64)
    y = F.linear(mixed, s[g + "attn.proj.weight"], s[g + "attn.proj.bias"])
    wide = F.layer_norm(y, (64,), s[g + "norm2.weight"], s[g + "norm2.bias"])
    wide = F.gelu(F.linear(wide, s[g + "mlp.fc1.weight"], s[g + "mlp.fc1.bias"]))
    y = y + F.linear(wide, s[g + "mlp.fc2.weight"], s[g + "mlp.fc2.bias"])
    power = F.linear(y[:, 0], s["global_net.gamma_linear.weight"], s["global_net.gamma_linear.bias"])
    power = power + s["global_net.gamma_base"]
    matrix = F.linear(y[:, 1:], s["global_net.color_linear.weight"], s["global_net.color_linear.bias"])
    matrix = matrix.view(3, 3) + s["global_net.color_base"]
    bright = torch.tensordot(bright.permute(0, 2, 3, 1), matrix, dims=([-1], [-1])).clamp(1e-8, 1)
    return (bright**power).permute(0, 3, 1, 2)


def pairlie(s: State, x: Tensor) -> Tensor:
    """Freed of noise, split in illumination L and reflectance R: L^0.14 R."""

    def net(name: str, y: Tensor) -> Tensor:
        for k in (1, 4, 7, 10, 13):
            y = F.conv2d(
                F.pad(y, (1, 1, 1, 1), "reflect"), s[f"{name}.{name}.{k}.weight"], s[f"{name}.{name}.{k}.bias"]
            )
            y = y.relu() if k < 13 else y.sigmoid()
        return y

    clean = net("N_net", x)
    return net("L_net", clean) ** PAIRLIE_POWER * net("R_net", clean)


# Name, file below the folder of peers' weights, formula.
NETWORKS = MappingProxyType(
    {
        "Zero-DCE": ("zerodce/Epoch99.pth", zero_dce),
        "SCI": ("sci/medium.pt", sci),
        "RUAS": ("ruas/lol.pt", ruas),
        "IAT": ("iat/best_Epoch_lol_v1.pth", iat),
        "PairLIE": ("pairlie/PairLIE.pth", pairlie),
    }
)
CLASSICAL: MappingProxyType[str, Method] = MappingProxyType(
    {"CLAHE": clahe, "gamma 0.4": gamma, "gamma 0.4 + unsharp": gamma_sharpened}
)


def network(name: str, folder: Path) -> tuple[Method, int]:
    """A published network on pictures (H, W, 3), B, G, R, floats in [0, 1], and how many numbers it learned.

    Raises:
        ModelError: E-MOD-11 its file cannot be read.
    """
    file, formula = NETWORKS[name]
    read, _ = read_state_dict(folder / file)
    state = {key.removeprefix("module."): value for key, value in read.items()}

    @torch.inference_mode()
    def method(picture: Picture) -> Picture:
        x = torch.from_numpy(np.ascontiguousarray(picture[:, :, ::-1], np.float32)).permute(2, 0, 1)[None]
        out = formula(state, x)[0].clamp(0, 1)
        return out.permute(1, 2, 0).numpy()[:, :, ::-1]

    learned = sum(v.numel() for k, v in state.items() if v.is_floating_point() and "running_" not in k)
    return method, learned


def methods(folder: Path) -> dict[str, Method]:
    """The classical ones, and the networks whose files are in a folder."""
    found = dict(CLASSICAL)
    for name, (file, _) in NETWORKS.items():
        if (folder / file).is_file():
            found[name] = network(name, folder)[0]
    return found
