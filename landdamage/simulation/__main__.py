"""``python -m landdamage.simulation --seed 7 --size 2048 -o DIR``: write one district."""

from __future__ import annotations

import argparse
from pathlib import Path

from tqdm import tqdm

from landdamage.simulation.district import District


def main() -> None:
    """Read the arguments, write the district, show progress."""
    parser = argparse.ArgumentParser(prog="python -m landdamage.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--size", type=int, default=2048, help="pixels along each side (at least 256)")
    parser.add_argument("--gsd", type=float, default=2.0, help="metres per pixel")
    parser.add_argument("--years", type=int, nargs="+", default=[2021, 2022, 2023])
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder to write into")
    args = parser.parse_args()
    district = District(args.seed, args.size, args.gsd, tuple(args.years))
    with tqdm(total=3 * len(district.years) + 2, unit="file") as bar:

        def step(name: str) -> None:
            bar.set_postfix_str(name)
            bar.update()

        district.write(args.output, step)


if __name__ == "__main__":
    main()
