"""Which of several training processes this is, and the few things they tell each other.

``torchrun`` starts one process per device and describes them in the environment; without it there is one process.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist

from minegis.errors import TrainingError

CPU = torch.device("cpu")
PATIENCE = timedelta(hours=6)  # the others wait while the first process judges the network


@dataclass(frozen=True, slots=True)
class Ranks:
    """This process among those that train together.

    Attributes:
        rank: number of this process, 0 for the one that writes and reports.
        count: how many there are.
        device: where this process computes.
    """

    rank: int = 0
    count: int = 1
    device: torch.device = CPU

    @property
    def main(self) -> bool:
        """Whether this process writes, reports and logs."""
        return self.rank == 0

    def share(self, items: int) -> range:
        """The items 0..items-1 of a batch that fall to this process: every ``count``-th.

        Raises:
            TrainingError: E-TRN-06 the batch does not divide evenly, so the processes' gradients would not weigh alike.
        """
        if items % self.count:
            raise TrainingError("E-TRN-06", batch=items, processes=self.count)
        return range(self.rank, items, self.count)

    def any(self, flags: Sequence[bool]) -> list[bool]:
        """Flag by flag, whether any process raised it. All must call this alike."""
        if self.count == 1:
            return list(flags)
        raised = torch.tensor([float(flag) for flag in flags], device=self.device)
        dist.all_reduce(raised, dist.ReduceOp.MAX)
        return [value > 0 for value in raised.tolist()]

    @contextmanager
    def main_first(self) -> Iterator[None]:
        """The first process goes through the block before the others enter it: what it caches, they find."""
        if self.count > 1 and not self.main:
            dist.barrier()
        yield
        if self.count > 1 and self.main:
            dist.barrier()

    def from_main(self, value: float) -> float:
        """The first process's value, in all of them. All must call this alike."""
        if self.count == 1:
            return value
        told = torch.tensor([value], dtype=torch.float64, device=self.device)
        dist.broadcast(told, src=0)
        return float(told.item())


@contextmanager
def joined(device: str = "auto") -> Iterator[Ranks]:
    """This process among those ``torchrun`` started (NCCL between CUDA devices, gloo between CPUs), or alone.

    Args:
        device: ``auto`` (CUDA where there is any), ``cpu``, ``cuda`` (each process takes the device of its number), or
            a single device such as ``cuda:1``.

    Raises:
        TrainingError: E-TRN-07 there is no such device.
    """
    count, rank = int(os.environ.get("WORLD_SIZE", 1)), int(os.environ.get("RANK", 0))
    here = find_device(device, int(os.environ.get("LOCAL_RANK", 0)))
    if here.type == "cuda":
        torch.cuda.set_device(here)
    if count == 1:
        yield Ranks(device=here)
        return
    dist.init_process_group("nccl" if here.type == "cuda" else "gloo", timeout=PATIENCE)
    try:
        yield Ranks(rank, count, here)
    finally:
        dist.destroy_process_group()


def find_device(name: str, number: int = 0) -> torch.device:
    """The device of that name; ``auto`` and ``cuda`` mean the CUDA device ``number``.

    Raises:
        TrainingError: E-TRN-07 there is no such device.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise TrainingError("E-TRN-07", value=name) from error
    if device.type == "cuda":
        device = torch.device("cuda", number if device.index is None else device.index)
        if not torch.cuda.is_available() or (device.index or 0) >= torch.cuda.device_count():
            raise TrainingError("E-TRN-07", value=name)
    elif device.type != "cpu":
        raise TrainingError("E-TRN-07", value=name)
    return device
