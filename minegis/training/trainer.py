"""One trainer for every network: AdamW, cosine schedule with warm-up, weight average, clipping, bf16, exact resume.

A batch is a function of its step and every step seeds torch anew, so that a run stopped and resumed equals an
undisturbed one (on one machine, without a time limit). Several processes started by ``torchrun`` train one network
together; the first of them writes, reports and logs.
"""

from __future__ import annotations

import copy
import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from minegis.errors import JobCancelledError, TrainingError
from minegis.training import state as states
from minegis.training.journal import Journal
from minegis.training.memory import is_out_of_memory, keep_freed_memory, largest_fitting, release
from minegis.training.norms import share_norms
from minegis.training.precision import depthwise_in_single_precision
from minegis.training.ranks import Ranks

Batch = tuple[Tensor, Tensor]
BatchAt = Callable[[int, float], Batch]
Loss = Callable[[Any, Tensor], Tensor]
Report = Callable[[int, nn.Module], Mapping[str, Any]]


MOST_REWINDS = 3
ENOUGH_FOR_A_NORM = 8  # items per device from which a batch norm need not ask the other devices


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
        report_every: steps between two calls of the report; None goes by the clock, which a repetition cannot repeat.
        report_every_s: seconds between two calls of the report, where ``report_every`` is None.
        score: name of the report's figure (higher is better) by which the best weights are kept; None keeps none.
        patience: reports without a better score after which the run ends; None never ends early.
        deterministic: ask torch for kernels that repeat themselves to the bit, where it has them (slower on CUDA).
        events: write TensorBoard events beside the log.
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
    report_every: int | None = None
    report_every_s: float = 600.0
    score: str | None = None
    patience: int | None = None
    deterministic: bool = False
    events: bool = True


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is, for whoever watches.

    Attributes:
        step: steps done.
        share: of the run, 0-1.
        loss: of the last step.
        elapsed_s: seconds of training so far.
        left_s: seconds to the end at this pace; an early stop comes sooner.
    """

    step: int
    share: float
    loss: float
    elapsed_s: float
    left_s: float


@dataclass(frozen=True, slots=True)
class Best:
    """The averaged weights with the highest score so far.

    Attributes:
        step: steps done.
        score: the figure named by ``Plan.score``.
        weights: state dict on the CPU.
    """

    step: int
    score: float
    weights: dict[str, Tensor]


class Trainer:
    """Trains ``model`` in place and keeps the average of its weights in ``ema``, the best of these in ``best``.

    Args:
        model: the network, already on its device, equal in every process.
        loss: (output in float32, target) -> scalar.
        batch_at: (step, progress 0-1) -> (inputs, targets) of this process on the CPU; called one step ahead in a
            thread.
        plan: length and rates.
        folder: ``state.pt`` (resume), ``log.jsonl`` (losses, reports) and ``tensorboard/`` are written here.
        report: (step, averaged network in eval mode) -> figures for the log; called in the first process. The state is
            saved before: what it raises (a cancelled job, say) ends the run, and a resumed one makes the report first.
        identity: what the run is (network, data, seed); a state of another identity is not resumed.
        ranks: this process among those that train together.
        watch: told the progress after every step, in the first process; what it raises ends the run.
        should_stop: asked after every step, in the first process; True ends the run with its state saved.
        on_best: (averaged network, report) called in the first process whenever the score is the highest so far.
    """

    def __init__(
        self,
        model: nn.Module,
        loss: Loss,
        batch_at: BatchAt,
        plan: Plan,
        folder: Path,
        *,
        report: Report | None = None,
        identity: str = "",
        ranks: Ranks | None = None,
        watch: Callable[[Progress], None] | None = None,
        should_stop: Callable[[], bool] = lambda: False,
        on_best: Callable[[nn.Module, Mapping[str, Any]], None] | None = None,
    ) -> None:
        if plan.score and not report:
            raise ValueError("a score needs a report that measures it")
        self.model, self.loss, self.batch_at, self.plan = model, loss, batch_at, plan
        self.folder, self.report, self.identity, self.on_best = folder, report, identity, on_best
        self.ranks = ranks or Ranks(device=next(model.parameters()).device)
        self.device = self.ranks.device
        self.watch, self.should_stop = watch, should_stop
        self.ema = copy.deepcopy(model).eval().requires_grad_(False)
        if plan.bf16 and self.device.type == "cpu":
            depthwise_in_single_precision(model)
        decayed = [p for p in model.parameters() if p.ndim > 1]
        exempt = [p for p in model.parameters() if p.ndim <= 1]
        self.optimiser = torch.optim.AdamW(
            [{"params": decayed, "weight_decay": plan.weight_decay}, {"params": exempt, "weight_decay": 0.0}],
            lr=plan.learning_rate,
        )
        self.step = 0
        self.elapsed = 0.0
        self.best: Best | None = None
        self.worse = 0  # reports since the best one
        self.pending = False  # a report is due at this step and not made yet
        self.rewinds = 0  # since the run last got further than ever
        self.furthest = 0
        self._parallel: nn.Module = model
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def progress(self) -> float:
        """Share of the run done, by steps or by the clock, whichever is further."""
        by_clock = self.elapsed / self.plan.time_limit_s if self.plan.time_limit_s else 0.0
        return min(max(self.step / self.plan.steps, by_clock), 1.0)

    @property
    def exhausted(self) -> bool:
        """Whether the score has not risen for as many reports as the plan has patience."""
        return self.plan.patience is not None and self.worse >= self.plan.patience

    def run(self) -> None:
        """Train to the end of the plan (from ``resume``'s step, if it was called).

        Raises:
            TrainingError: E-TRN-01, E-TRN-02 out of memory; E-TRN-05 loss or gradient was not finite again and again
                while the run got no further, which a passing fault of half-precision kernels does not explain.
            JobCancelledError: ``should_stop`` said so; the state is saved.
        """
        keep_freed_memory()
        self.model.train()
        self._journal = Journal(self.folder, events=self.plan.events and self.ranks.main, step=self.step)
        bar = tqdm(
            total=100,
            bar_format="{percentage:3.0f}%|{bar}| {postfix} [{elapsed}<{remaining}]",
            disable=not (self.ranks.main and sys.stderr.isatty()),
        )
        with ThreadPoolExecutor(1) as loader, bar, _repeatable(self.plan.deterministic):
            try:
                self._train(loader, bar)
            finally:
                self._journal.close()

    def _train(self, loader: ThreadPoolExecutor, bar: Any) -> None:
        if self.pending:  # stopped in the middle of it
            self._judge()
        self.save_state()
        if self.progress >= 1 or self.exhausted:
            return
        saved = reported = time.monotonic()
        ahead = loader.submit(self.batch_at, self.step, self.progress)
        self._join(ahead.result()[0].shape[0])
        while self.progress < 1 and not self.exhausted:
            began = time.monotonic()
            batch = ahead.result()
            ahead = loader.submit(self.batch_at, self.step + 1, self.progress)
            loss = self._update(batch)
            failed, stop = self.ranks.any([math.isnan(loss), self.ranks.main and self.should_stop()])
            if failed:
                # The norms' running statistics are spoiled by now, so a skipped step would not do.
                self._rewind()
                ahead = loader.submit(self.batch_at, self.step, self.progress)
                continue
            self.step += 1
            if self.step > self.furthest:
                self.furthest, self.rewinds = self.step, 0
            self.elapsed = self.ranks.from_main(self.elapsed + time.monotonic() - began)
            self._tell(loss, bar)
            self.pending = self._report_is_due(reported)
            if stop:
                ahead.cancel()
                self.save_state()
                raise JobCancelledError
            if self.pending:
                self.save_state()
                self._judge()
                reported = saved = time.monotonic()
                self.save_state()
            elif self.ranks.main and (
                self.progress >= 1 or self.exhausted or time.monotonic() - saved > self.plan.save_every_s
            ):
                self.save_state()
                saved = time.monotonic()
        ahead.cancel()

    def _join(self, batch: int) -> None:
        """Let the processes train one network: gradients averaged, and batch norms shared where a batch is small."""
        if self.ranks.count == 1:
            return
        if batch < ENOUGH_FOR_A_NORM:
            self.model = share_norms(self.model, self.device)
        devices = [self.device] if self.device.type == "cuda" else None
        self._parallel = nn.parallel.DistributedDataParallel(self.model, device_ids=devices)

    def _tell(self, loss: float, bar: Any) -> None:
        if not self.ranks.main:
            return
        share = self.progress
        left = self.elapsed * (1 - share) / share
        bar.set_postfix_str(f"step {self.step}, loss {loss:.3f}", refresh=False)
        bar.update(100 * share - bar.n)
        self._journal.write({"step": self.step, "loss": round(loss, 5), "seconds": round(self.elapsed, 1)})
        if self.watch:
            self.watch(Progress(self.step, share, loss, self.elapsed, left))

    def _report_is_due(self, reported: float) -> bool:
        if not self.report:
            return False
        if self.progress >= 1:
            return True
        if self.plan.report_every is not None:
            return self.step % self.plan.report_every == 0
        return self.ranks.from_main(time.monotonic() - reported) > self.plan.report_every_s

    def _judge(self) -> None:
        """Call the report in the first process; tell all of them whether the score rose."""
        score = -math.inf
        if self.ranks.main and self.report:
            figures = self.report(self.step, self.ema)
            self._journal.write({"step": self.step, **figures})
            if self.plan.score:
                score = float(figures[self.plan.score])
                rose = self.best is None or score > self.best.score
                if rose and self.on_best:
                    self.on_best(self.ema, figures)
        self.pending = False
        if not self.plan.score:
            return
        score = self.ranks.from_main(score)
        if self.best is None or score > self.best.score:
            weights = {name: value.detach().cpu().clone() for name, value in self.ema.state_dict().items()}
            self.best, self.worse = Best(self.step, score, weights), 0
        else:
            self.worse += 1

    def _rewind(self) -> None:
        if self.ranks.main:
            self._journal.write({"step": self.step, "rewound": True})
        self.rewinds += 1
        if self.rewinds > MOST_REWINDS:
            raise TrainingError("E-TRN-05", step=self.step)
        self.resume()

    def _update(self, batch: Batch) -> float:
        """One step; NaN, and no step taken, if the loss or the gradient is not finite."""
        plan = self.plan
        torch.manual_seed((plan.seed * 1_000_003 + self.step) * self.ranks.count + self.ranks.rank)
        for group in self.optimiser.param_groups:
            group["lr"] = plan.learning_rate * cosine(self.progress, plan.warmup)
        self.optimiser.zero_grad(set_to_none=True)
        loss = None
        try:
            loss = self._gradients(self._parallel, batch)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        if loss is None:  # outside the handler, whose traceback would keep the activations alive
            raise self._out_of_memory(batch)
        # Every process gets here whatever its loss is: one that turned back earlier would leave the others waiting.
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), plan.clip_norm)
        if not (torch.isfinite(loss) and torch.isfinite(norm)):
            return math.nan
        self.optimiser.step()
        average(self.ema, self.model, min(plan.ema_decay, (1 + self.step) / (10 + self.step)))
        return loss.item()

    def _gradients(self, model: nn.Module, batch: Batch) -> Tensor:
        inputs, targets = (t.to(self.device, non_blocking=True) for t in batch)
        if inputs.ndim == 4:
            inputs = inputs.contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.plan.bf16):
            outputs = model(inputs)
        loss = self.loss(_float32(outputs), targets)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.detach()

    def _out_of_memory(self, batch: Batch) -> TrainingError:
        """The error that names the largest part of the batch that does fit, found by trying halves of it."""
        self.optimiser.zero_grad(set_to_none=True)
        # Among several processes the shared norms would wait for the others, which have gone on.
        self.model.train(self.ranks.count == 1)

        def attempt(size: int) -> None:
            try:
                self._gradients(self.model, (batch[0][:size], batch[1][:size]))
            finally:
                self.optimiser.zero_grad(set_to_none=True)

        failed = batch[0].shape[0]
        fits = largest_fitting(attempt, failed)
        release()
        shape = "×".join(map(str, batch[0].shape[1:]))
        if not fits:
            return TrainingError("E-TRN-02", batch=failed, shape=shape, device=self.device)
        whole = self.ranks.count
        return TrainingError("E-TRN-01", batch=failed * whole, fits=fits * whole, shape=shape, device=self.device)

    def save_state(self) -> None:
        """Write ``state.pt``: everything ``resume`` needs. Only the first process does."""
        if not self.ranks.main:
            return
        states.write(
            self.folder,
            {
                "identity": self.identity,
                "model": self.model.state_dict(),
                "ema": self.ema.state_dict(),
                "optimiser": self.optimiser.state_dict(),
                "step": self.step,
                "elapsed": self.elapsed,
                "worse": self.worse,
                "pending": self.pending,
                "best": self.best and {"step": self.best.step, "score": self.best.score, "weights": self.best.weights},
            },
        )

    def resume(self) -> bool:
        """Continue from ``state.pt``; False if there is none. Several processes must see the same folder.

        Raises:
            TrainingError: E-TRN-03 the state is damaged or does not fit the network; E-TRN-04 it is another run's.
        """
        state = states.read(self.folder, self.identity, self.device)
        if state is None:
            return False
        try:
            self.model.load_state_dict(state["model"])
            self.ema.load_state_dict(state["ema"])
            self.optimiser.load_state_dict(state["optimiser"])
            self.step, self.elapsed = state["step"], state["elapsed"]
            self.worse, self.pending = state["worse"], state["pending"]
            best = state["best"]
            self.best = best and Best(best["step"], best["score"], {k: v.cpu() for k, v in best["weights"].items()})
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise TrainingError("E-TRN-03", value=self.folder / states.STATE) from error
        return True


def _float32(outputs: Any) -> Any:
    """The outputs in float32, be they one tensor or, with auxiliary heads, several."""
    if isinstance(outputs, Tensor):
        return outputs.float()
    return type(outputs)(_float32(output) for output in outputs)


@contextmanager
def _repeatable(wanted: bool) -> Iterator[None]:
    """Kernels that give the same bits each time, where torch has them; the setting before is restored."""
    before, benchmark = torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark
    if wanted:
        torch.use_deterministic_algorithms(True, warn_only=True)
        torch.backends.cudnn.benchmark = False
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)
        torch.backends.cudnn.benchmark = benchmark


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
