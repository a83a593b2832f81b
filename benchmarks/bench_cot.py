"""CoT's local aggregation in all its forms: time per call beside the time one copy of the values takes.

    python benchmarks/bench_cot.py [--threads N] [--rounds N]

The forms run in turn, round by round, so that a busy neighbour slows all alike; the best of the rounds counts. The
copy is the floor: whatever the form, the values must be read and the result written once. On a machine with CUDA the
compiled form is measured there too; without one it has no line.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch
import torch.nn.functional as F
from torch import Tensor

from landdamage.networks.aggregation import SHARE, TAPS, aggregate, aggregate_loop, compiled_loop

Form = Callable[[Tensor, Tensor], Tensor]
SHAPES = ((256, 32), (256, 64), (2048, 32))


def unfolded(attention: Tensor, value: Tensor) -> Tensor:
    """The textbook form, with nine copies of the values."""
    n, maps, _, height, width = attention.shape
    columns = F.unfold(value, 3, padding=1).view(n, SHARE, maps, TAPS, height, width)
    return (columns * attention[:, None]).sum(3).flatten(1, 2)


def copy(attention: Tensor, value: Tensor) -> Tensor:
    """The floor."""
    return value.clone()


def seconds(form: Form, attention: Tensor, value: Tensor, *, train: bool) -> float:
    """Wall time of one call, with its gradient where ``train``."""
    if train:
        attention, value = attention.detach().requires_grad_(), value.detach().requires_grad_()
    began = time.perf_counter()
    out = form(attention, value)
    if train:
        out.backward(torch.ones_like(out))
    if out.is_cuda:
        torch.cuda.synchronize()
    return time.perf_counter() - began


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, {options.threads} thread(s), "
          f"torch {torch.__version__}, load {os.getloadavg()[0]:.1f}")  # fmt: skip
    forms: dict[str, Form] = {"unfold": unfolded, "loop": aggregate_loop, "in place": aggregate, "copy": copy}
    for device in ("cpu", *(["cuda"] if torch.cuda.is_available() else [])):
        if device == "cuda":
            print(torch.cuda.get_device_name())
            forms = {"unfold": unfolded, "loop": aggregate_loop, "compiled": compiled_loop(), "copy": copy}
        for channels, side in SHAPES:
            for dtype in (torch.float32, torch.bfloat16):
                attention = torch.randn(1, channels // SHARE, TAPS, side, side, device=device).to(dtype)
                value = torch.randn(1, channels, side, side, device=device).to(dtype)
                for train in (False, True):
                    best = dict.fromkeys(forms, float("inf"))
                    for _ in range(options.rounds):
                        for name, form in forms.items():
                            best[name] = min(best[name], seconds(form, attention, value, train=train))
                    cells = [f"{name} {1e3 * t:8.3f} ms ({t / best['copy']:6.1f} x)" for name, t in best.items()]
                    what = "with gradient" if train else "forward"
                    print(f"{device} {channels} x {side}² {str(dtype)[6:]:8s} {what:13s} " + "  ".join(cells))
    if not torch.cuda.is_available():
        print("no CUDA device: the compiled form is not measured")


if __name__ == "__main__":
    main()
