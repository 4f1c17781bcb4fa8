"""`python -m benchmarks calibration`: fit the tails of the panel on clean rounds."""

import argparse
import hashlib
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import ariba_cli
from ariba_cli.files.atomic import write_atomically
from ariba_cli.scoring.panel import tails
from benchmarks.calibration.bases import SEEDS, fitted_bases, held_bases, seeds_of
from benchmarks.calibration.fitting import LEVELS, Fit, chances_of, fitted, naming
from benchmarks.calibration.readings import CleanRound, clean_rounds
from benchmarks.honest import Base
from benchmarks.seeds import DEVELOPMENT, checked

BUILT_IN = Path(tails.__file__).with_name("tails.json")


def main(arguments: Sequence[str]) -> int:
    """Make the clean rounds that are missing, fit, and write the tails."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks calibration", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/calibration"))
    parser.add_argument("--data-dir", type=Path, help="with a folder for each data set but digits")
    parser.add_argument(
        "--only", metavar="TEXT", action="append", help="bases whose name has it; repeatable"
    )
    parser.add_argument("--write", type=Path, default=BUILT_IN, help="the file of the tails")
    options = parser.parse_args(arguments)
    chosen, held = (
        [one for one in bases if options.only is None or any(t in one.name for t in options.only)]
        for bases in (fitted_bases(), held_bases())
    )
    calibrate(chosen, SEEDS, options.out, options.write, options.data_dir, held=held)
    return 0


def calibrate(
    chosen: Sequence[Base],
    seeds: Sequence[int],
    out: Path,
    file: Path,
    data_dir: Path | None,
    *,
    held: Sequence[Base] = (),
) -> Fit:
    """Fit the tails on clean rounds of the bases that can be simulated, and write them.

    Parameters
    ----------
    chosen : sequence of Base
        The bases.
    seeds : sequence of int
        The seeds; each base is simulated once with each, or with the first alone.
    out : path
        The directory of the rounds, and of the readings of them.
    file : path
        The file to write.
    data_dir : path, optional
        The folder of data sets; None for the digits alone.
    held : sequence of Base, optional
        The bases on which the fit is checked.
    """
    seeds = checked(DEVELOPMENT, seeds)
    left_out: dict[str, str] = {}
    rounds, others = (_rounds(bases, seeds, out, data_dir, left_out) for bases in (chosen, held))
    fit = fitted(rounds)
    content = _document(fit, rounds, seeds, left_out)
    content["provenance"]["held_against"] = _held(fit, others)
    text = json.dumps(content, indent=1, allow_nan=False)
    write_atomically(file, [text.encode() + b"\n"])
    _say(f"{len(rounds)} rounds, shape {fit.calibration.shape}; written to {file}")
    return fit


def _rounds(
    bases: Sequence[Base],
    seeds: Sequence[int],
    out: Path,
    data_dir: Path | None,
    left_out: dict[str, str],
) -> list[CleanRound]:
    """Return the clean rounds of bases; the reasons for having none go into `left_out`."""
    rounds: list[CleanRound] = []
    for base in bases:
        why_not = base.why_not(data_dir)
        if why_not:
            left_out[base.name] = why_not
            _say(f"{base.name}: left out, {why_not}")
            continue
        for seed in seeds_of(base, seeds):
            rounds += clean_rounds(base, seed, out, data_dir)
        _say(f"{base.name}: read")
    return rounds


def _held(fit: Fit, rounds: Sequence[CleanRound]) -> dict[str, dict[str, float]]:
    """Return, by base, the number of its rounds in which each level names anybody."""
    found: dict[str, dict[str, float]] = {}
    for base in dict.fromkeys(one.base for one in rounds):
        own = [one for one in rounds if one.base == base]
        chances = [chances_of(one, fit.calibration) for one in own]
        found[base.name] = {"rounds": len(own)}
        found[base.name] |= {
            f"naming_at_{alpha:g}": sum(naming(one, alpha) for one in chances) for alpha in LEVELS
        }
    return found


def _document(
    fit: Fit, rounds: Sequence[CleanRound], seeds: Sequence[int], left_out: dict[str, str]
) -> dict[str, Any]:
    used = list(dict.fromkeys(one.base for one in rounds))
    settings = [asdict(base.settings(seed)) for base in used for seed in seeds_of(base, seeds)]
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    return {
        "participants": fit.calibration.participants,
        "shape": fit.calibration.shape,
        "tails": {
            name: {**tail._asdict(), **_left_out_fit(fit, name)}
            for name, tail in sorted(fit.calibration.tails.items())
        },
        "provenance": {
            "made_by": "python -m benchmarks calibration",
            "version": ariba_cli.__version__,
            "seeds": list(seeds),
            "rounds": len(rounds),
            "settings_sha256": digest.hexdigest(),
            "verdicts_too_unlikely": fit.verdicts_wrong,
            "rounds_naming_anybody": fit.naming,
            "bases": {base.name: _about(base, fit, rounds) for base in used},
            "left_out": left_out,
        },
    }


def _left_out_fit(fit: Fit, name: str) -> dict[str, float]:
    """Return how far fits without a base are off at a chance of a hundredth: mean and worst."""
    wrong = fit.wrong.get(name)
    if not wrong:
        return {}
    return {
        "times_too_many": round(sum(wrong.values()) / len(wrong), 2),
        "worst_base": round(max(wrong.values()), 2),
    }


def _about(base: Base, fit: Fit, rounds: Sequence[CleanRound]) -> dict[str, float]:
    own = [one for one in rounds if one.base == base]
    return {
        "rounds": len(own),
        "participants": sum(one.groups.participants for one in own),
        "verdicts_too_unlikely": round(fit.wrong["verdict"][base.name], 2),
    }


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)
