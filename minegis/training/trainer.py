"""One trainer for every network: AdamW, cosine schedule with warm-up, weight average, clipping, bf16, exact resume.

A batch is a function of its step and every step seeds torch anew, so that a run stopped and resumed equals an
undisturbed one (on one machine, without a time limit).
"""

from __future__ import annotations

import copy
import ctypes
import json
import math
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

Batch = tuple[Tensor, Tensor]
BatchAt = Callable[[int, float], Batch]
Loss = Callable[[Tensor, Tensor], Tensor]
Report = Callable[[int, nn.Module], Mapping[str, Any]]


MOST_REWINDS = 3


@dataclass(frozen=True, slots=True)
class Plan:
    """How long and how fast to train.

    Attributes:
        steps: optimiser steps of the whole run.
        learning_rate: peak of the cosine schedule.
        weight_decay: AdamW's decoupled decay; norms and biases are exempt.
        warmup: share of the run with a linearly rising rate.
        ema_decay: decay of the weight average (ramped up from the first step).
        clip_norm: largest norm of the gradient.
        bf16: run the network in bfloat16 (the loss stays float32).
        seed: of dropout and whatever else draws from torch.
        time_limit_s: end of the schedule by the clock, if that comes first; None for by steps alone.
        save_every_s: seconds between two state files.
        report_every_s: seconds between two calls of the report.
    """

    steps: int
    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    warmup: float = 0.05
    ema_decay: float = 0.999
    clip_norm: float = 1.0
    bf16: bool = True
    seed: int = 0
    time_limit_s: float | None = None
    save_every_s: float = 120.0
    report_every_s: float = 600.0


class Trainer:
    """Trains ``model`` in place and keeps the average of its weights in ``ema``.

    Args:
        model: the network, already on ``device``.
        loss: (output in float32, target) -> scalar.
        batch_at: (step, progress 0-1) -> (inputs, targets) on the CPU; called one step ahead in a thread.
        plan: length and rates.
        folder: ``state.pt`` (resume) and ``log.jsonl`` (losses, reports) are written here.
        device: where the network lives.
        report: (step, averaged network in eval mode) -> figures for the log.
    """

    def __init__(
        self,
        model: nn.Module,
        loss: Loss,
        batch_at: BatchAt,
        plan: Plan,
        folder: Path,
        device: str = "cpu",
        report: Report | None = None,
    ) -> None:
        self.model, self.loss, self.batch_at, self.plan = model, loss, batch_at, plan
        self.folder, self.device, self.report = folder, torch.device(device), report
        self.ema = copy.deepcopy(model).eval().requires_grad_(False)
        decayed = [p for p in model.parameters() if p.ndim > 1]
        exempt = [p for p in model.parameters() if p.ndim <= 1]
        self.optimiser = torch.optim.AdamW(
            [{"params": decayed, "weight_decay": plan.weight_decay}, {"params": exempt, "weight_decay": 0.0}],
            lr=plan.learning_rate,
        )
        self.step = 0
        self.elapsed = 0.0
        self.rewinds = 0  # since the run last got further than ever
        self.furthest = 0
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def progress(self) -> float:
        """Share of the run done, by steps or by the clock, whichever is further."""
        by_clock = self.elapsed / self.plan.time_limit_s if self.plan.time_limit_s else 0.0
        return min(max(self.step / self.plan.steps, by_clock), 1.0)

    def run(self) -> None:
        """Train to the end of the plan (from ``resume``'s step, if it was called).

        Raises:
            FloatingPointError: loss or gradient was not finite again and again while the run got no further, which a
                passing fault of half-precision kernels does not explain.
        """
        keep_freed_memory()
        self.model.train()
        self.save_state()
        saved = reported = time.monotonic()
        with (
            ThreadPoolExecutor(1) as loader,
            tqdm(total=self.plan.steps, initial=self.step, unit="step", disable=not sys.stderr.isatty()) as bar,
        ):
            ahead = loader.submit(self.batch_at, self.step, self.progress)
            while self.progress < 1:
                began = time.monotonic()
                batch = ahead.result()
                ahead = loader.submit(self.batch_at, self.step + 1, self.progress)
                loss = self._update(batch)
                if math.isnan(loss):
                    # The norms' running statistics are spoiled by now, so a skipped step would not do.
                    self._rewind()
                    ahead = loader.submit(self.batch_at, self.step, self.progress)
                    continue
                self.step += 1
                if self.step > self.furthest:
                    self.furthest, self.rewinds = self.step, 0
                now = time.monotonic()
                self.elapsed += now - began
                bar.update()
                bar.set_postfix(loss=f"{loss:.3f}")
                self._log({"step": self.step, "loss": round(loss, 5), "seconds": round(self.elapsed, 1)})
                if now - saved > self.plan.save_every_s:
                    self.save_state()
                    saved = now
                if self.report and now - reported > self.plan.report_every_s:
                    self._log({"step": self.step, **self.report(self.step, self.ema)})
                    reported = time.monotonic()
            ahead.cancel()
        self.save_state()
        if self.report:
            self._log({"step": self.step, **self.report(self.step, self.ema)})

    def _rewind(self) -> None:
        self._log({"step": self.step, "rewound": True})
        self.rewinds += 1
        if self.rewinds > MOST_REWINDS:
            raise FloatingPointError(f"loss or gradient is not finite at step {self.step}")
        self.resume()

    def _update(self, batch: Batch) -> float:
        """One step; NaN, and no step taken, if the loss or the gradient is not finite."""
        plan = self.plan
        torch.manual_seed(plan.seed * 1_000_003 + self.step)
        for group in self.optimiser.param_groups:
            group["lr"] = plan.learning_rate * cosine(self.progress, plan.warmup)
        inputs, targets = (t.to(self.device, non_blocking=True) for t in batch)
        if inputs.ndim == 4:
            inputs = inputs.contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=plan.bf16):
            outputs = self.model(inputs)
        loss = self.loss(outputs.float(), targets)
        if not torch.isfinite(loss):
            return math.nan
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), plan.clip_norm)
        if not torch.isfinite(norm):
            return math.nan
        self.optimiser.step()
        average(self.ema, self.model, min(plan.ema_decay, (1 + self.step) / (10 + self.step)))
        return loss.item()

    def save_state(self) -> None:
        """Write ``state.pt``: everything ``resume`` needs."""
        state = {
            "model": self.model.state_dict(),
            "ema": self.ema.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "step": self.step,
            "elapsed": self.elapsed,
        }
        partial = self.folder / "state.pt.partial"
        torch.save(state, partial)
        partial.replace(self.folder / "state.pt")

    def resume(self) -> bool:
        """Continue from ``state.pt``; False if there is none."""
        file = self.folder / "state.pt"
        if not file.exists():
            return False
        state = torch.load(file, map_location=self.device, weights_only=True)
        self.model.load_state_dict(state["model"])
        self.ema.load_state_dict(state["ema"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.step, self.elapsed = state["step"], state["elapsed"]
        return True

    def _log(self, entry: Mapping[str, Any]) -> None:
        with (self.folder / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps(entry) + "\n")


def cosine(progress: float, warmup: float) -> float:
    """Factor on the learning rate: linear 0 -> 1 over ``warmup``, then half a cosine to 0."""
    if progress < warmup:
        return max(progress / warmup, 1e-3)
    return 0.5 * (1 + math.cos(math.pi * (progress - warmup) / (1 - warmup)))


@torch.no_grad()
def average(ema: nn.Module, model: nn.Module, decay: float) -> None:
    """Move ``ema`` towards ``model``: e ← decay·e + (1 - decay)·m for whatever floats; the rest is copied."""
    current = model.state_dict()
    for name, value in ema.state_dict().items():
        if value.is_floating_point():
            value.lerp_(current[name], 1 - decay)
        else:
            value.copy_(current[name])


def keep_freed_memory() -> None:
    """Tell glibc to keep large freed blocks: otherwise every activation is mapped and unmapped anew.

    Measured on a CPU: a third less time per step. Elsewhere than on Linux nothing happens.
    """
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        m_trim_threshold, m_mmap_threshold, most = -1, -3, 2**31 - 1
        libc.mallopt(m_mmap_threshold, most)
        libc.mallopt(m_trim_threshold, most)
