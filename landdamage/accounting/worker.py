"""The account of territories, in this process or in several of its own.

``compute_all`` is called inside one job and never waits for the queue: in a small installation the only worker would
wait for itself. It starts plain processes of this module, as a daemonic task cannot start a process pool of Python;
each reads numbers of units from its standard input, so it ends when its parent ends, even by ``kill -9``. Idle
workers, on any machine that shares the folder, help by ``lend_a_hand``, which the queue may run many times, late, or
never. What anybody writes is complete or not there, and equal whoever wrote it.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Final

import geopandas as gpd
import numpy as np
import shapely

from landdamage.accounting.bias import confirmed_on_coarse_grid
from landdamage.accounting.observation import labels_of_year
from landdamage.accounting.planar import to_albers
from landdamage.accounting.states import State
from landdamage.accounting.unit import open_unit
from landdamage.accounting.workfiles import UnitInput, UnitResult, load_input, save_result
from minegis.errors import JobError, MineGISError

ROOT: Final = Path(__file__).resolve().parents[2]
UNITS_PER_PROCESS: Final = 8  # fewer are done sooner than a process starts


def input_path(folder: Path, number: int) -> Path:
    """Where the input of a unit lies."""
    return folder / f"unit-{number:05d}.in.npz"


def result_path(folder: Path, number: int) -> Path:
    """Where the result of a unit lies."""
    return folder / f"unit-{number:05d}.out.npz"


def _claim(folder: Path, number: int) -> bool:
    """Whether nobody else has taken the unit up; a claim saves double work, it guards nothing."""
    try:
        (folder / f"unit-{number:05d}.claim").open("x").close()
    except (FileExistsError, FileNotFoundError):
        return False
    return True


def lend_a_hand(folder: Path, count: int) -> int:
    """Compute units of an account that is under way elsewhere, from the last to the first, as long as there are any.

    Args:
        folder: of the inputs and results; the account may have ended and removed it.
        count: number of units.

    Returns:
        Number of units computed here.
    """
    done = 0
    for number in reversed(range(count)):
        if result_path(folder, number).exists() or not _claim(folder, number):
            continue
        try:
            compute_file(folder, number)
        except FileNotFoundError:  # the account has ended meanwhile
            return done
        done += 1
    return done


def compute(unit: UnitInput) -> UnitResult:
    """The account of one territory: labels of the year, overlay with the book, pieces."""
    observation = labels_of_year(
        unit.territory,
        unit.scenes,
        unit.patches,
        subsidence=unit.subsidence,
        book_pits=unit.book_pits,
        hydrography=unit.hydrography,
        water_mode=unit.rules.water_mode,
    )
    opened = open_unit(unit.territory, unit.opening, observation, unit.regions, unit.rules, year=unit.year)
    cells, pieces = opened.cells, opened.pieces
    if unit.coarse_gsd_m is not None:
        shown = confirmed_on_coarse_grid(pieces.geometry, unit.coarse_gsd_m, unit.rules.mmu_m2)
        lost = cells["piece"].isin(pieces["piece"][~shown])
        cells = cells.assign(filtered=cells["filtered"] | lost, piece=cells["piece"].where(~lost, -1))
        pieces = pieces[shown].reset_index(drop=True)
    regions = np.append(unit.regions["code"].to_numpy(object), "")
    scenes = np.append(np.array([scene.scene_id for scene in unit.scenes], object), "")
    return UnitResult(
        cells.drop(columns=["region", "scene"]).assign(
            region_code=regions[cells["region"].to_numpy()], scene_id=scenes[cells["scene"].to_numpy()]
        ),
        pieces.drop(columns="patches").assign(authors=_authors(unit, cells, pieces)),
        [int(unit.patches["patch_id"].iat[position]) for position in observation.undecided_water],
        [unit.scenes[position].scene_id for position in observation.out_of_season],
    )


def _authors(unit: UnitInput, cells: gpd.GeoDataFrame, pieces: gpd.GeoDataFrame) -> list[str]:
    """Everybody behind each piece: who drew or edited one of its patches or decided its water, who surveyed
    subsidence that some of it shows. Empty where only the model is.
    """
    columns = [unit.patches[name].to_numpy() for name in ("author", "water_by") if name in unit.patches]
    sunk = shapely.make_valid(to_albers(unit.subsidence))
    sinking = cells[cells["obs_state"] == State.SUBSIDENCE]
    everybody = []
    for row in pieces.itertuples():
        known = [people[patch] for patch in row.patches for people in columns if people[patch]]
        shown = sinking.geometry[sinking["piece"] == row.piece].to_numpy()
        if len(shown):
            _, touching = shapely.STRtree(sunk).query(shown, predicate="intersects")
            known += [unit.surveyors[position] for position in np.unique(touching) if unit.surveyors[position]]
        everybody.append(" ".join(dict.fromkeys(known)))
    return everybody


def compute_file(folder: Path, number: int) -> None:
    """Compute a unit from its input file into its result file."""
    save_result(result_path(folder, number), compute(load_input(input_path(folder, number))))


def compute_all(
    folder: Path, count: int, *, processes: int, progress: Callable[[float], None] = lambda share: None
) -> int:
    """Compute every unit 0..count-1 whose result is not there yet.

    Args:
        folder: of the inputs and results.
        count: number of units.
        processes: at most so many at a time; small accounts are done in this one.
        progress: called in this thread with the share done, 0-1; what it raises ends the work.

    Returns:
        Number of units computed now.

    Raises:
        MineGISError: from the account of a unit.
        JobError: E-JOB-06, a process was killed, as happens when memory is short.
    """
    todo = [number for number in range(count) if not result_path(folder, number).exists()]
    processes = min(processes, len(todo) // UNITS_PER_PROCESS)
    if processes < 2:
        for done, number in enumerate(todo):
            progress(1 - (len(todo) - done) / max(count, 1))
            compute_file(folder, number)
        return len(todo)
    for claim in folder.glob("unit-*.claim"):  # of an earlier attempt
        claim.unlink(missing_ok=True)
    _run(folder, todo, processes, lambda left: progress(1 - left / count), claiming=True)
    # Units that a helper took up and has not finished: it may be dead.
    late = [number for number in todo if not result_path(folder, number).exists()]
    _run(folder, late, min(processes, len(late)), lambda left: progress(1 - left / count), claiming=False)
    return len(todo)


def _run(folder: Path, todo: list[int], processes: int, left: Callable[[int], None], *, claiming: bool) -> None:
    """Compute units in processes; ``left`` is called with the number still to do."""
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in todo:
        waiting.put(number)
    news: queue.SimpleQueue[MineGISError | None] = queue.SimpleQueue()
    workers = [_start(folder) for _ in range(processes)]
    threads = [
        threading.Thread(target=_feed, args=(worker, folder, waiting, news, claiming), daemon=True)
        for worker in workers
    ]
    for thread in threads:
        thread.start()
    try:
        for done in range(len(todo)):
            error = _next(news, lambda done=done: left(len(todo) - done))  # type: ignore[misc]
            if error is not None:
                raise error
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
        for thread in threads:
            thread.join()


def _next(news: queue.SimpleQueue[MineGISError | None], meanwhile: Callable[[], None]) -> MineGISError | None:
    while True:
        meanwhile()
        try:
            return news.get(timeout=1.0)
        except queue.Empty:
            continue


def _start(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "landdamage.accounting.worker", str(folder)],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _feed(
    worker: subprocess.Popen[str],
    folder: Path,
    waiting: queue.SimpleQueue[int],
    news: queue.SimpleQueue[MineGISError | None],
    claiming: bool,
) -> None:
    """Hand one process unit after unit until there are none."""
    while True:
        try:
            number = waiting.get_nowait()
        except queue.Empty:
            return
        if claiming and not _claim(folder, number):
            news.put(None)
            continue
        try:
            worker.stdin.write(f"{number}\n")  # type: ignore[union-attr]
            worker.stdin.flush()  # type: ignore[union-attr]
            answer = worker.stdout.readline()  # type: ignore[union-attr]
        except OSError:
            answer = ""
        if not answer:
            news.put(JobError("E-JOB-06"))
            return
        told = json.loads(answer)
        news.put(MineGISError(told["code"], **told["values"]) if told["code"] else None)


def main(folder: Path) -> None:
    """Read numbers of units, compute each, answer one line of JSON; end with the standard input."""
    for line in sys.stdin:
        told: dict[str, object] = {"code": "", "values": {}}
        try:
            compute_file(folder, int(line))
        except MineGISError as error:
            told = {"code": error.code, "values": {name: str(value) for name, value in error.values.items()}}
        except Exception as error:
            traceback.print_exc()  # into the log of the worker that started this process
            told = {"code": "E-JOB-05", "values": {"value": type(error).__name__}}
        print(json.dumps(told), flush=True)  # noqa: T201  # the answer to the parent


if __name__ == "__main__":
    main(Path(sys.argv[1]))
