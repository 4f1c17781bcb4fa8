"""Run the federation: `python -m examples.flower.run OUT --policy flagged --seed 0`."""

import argparse
import json
import os
from pathlib import Path
from typing import Any

from examples.flower.federation import (
    CLIENTS,
    COMPROMISED,
    FIRST_ATTACKED,
    client_app,
    evaluation,
    first_model,
)

# Flower's clients run in processes that import the federation again.
_REPOSITORY = Path(__file__).parents[2]


def main() -> None:
    """Run it, and print a line of JSON with the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, help="the directory for the rounds, a new one")
    parser.add_argument("--policy", default="flagged", help="watch, flagged, suspects or r-of-R")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--fraction", type=float, default=1.0, help="of clients in each round")
    asked = parser.parse_args()
    print(json.dumps(federation(asked.out, asked.policy, asked.seed, asked.rounds, asked.fraction)))


def federation(
    out: Path, policy: str, seed: int, rounds: int = 8, fraction: float = 1.0
) -> dict[str, Any]:
    """Return the quality of the global model, and the pruned clients.

    Parameters
    ----------
    out : Path
        The directory for the rounds.
    policy : str
        The policy of `AribaStrategy`.
    seed : int
        The seed of data, model and training.
    rounds : int, optional
        The number of rounds; attacks begin with round 4.
    fraction : float, optional
        The fraction of the clients that take part in each round.
    """
    os.environ["PYTHONPATH"] = os.pathsep.join(
        [str(_REPOSITORY), *filter(None, [os.environ.get("PYTHONPATH")])]
    )
    os.environ.setdefault("FLWR_TELEMETRY_ENABLED", "0")
    os.environ.setdefault("RAY_usage_stats_enabled", "0")
    from flwr.app import Context
    from flwr.serverapp import Grid, ServerApp
    from flwr.serverapp.strategy import FedAvg
    from flwr.simulation import run_simulation

    from ariba_cli.hosts.flower import AribaStrategy

    curve: list[tuple[float, float]] = []
    server = ServerApp()

    @server.main()  # type: ignore[untyped-decorator, unused-ignore]
    def run(grid: Grid, _: Context) -> None:
        audit = {"k_est": len(COMPROMISED)} if policy == "suspects" else {}
        fedavg = FedAvg(fraction_train=fraction, fraction_evaluate=0.0)
        strategy = AribaStrategy(fedavg, out=out, policy=policy, audit=audit)
        strategy.start(
            grid=grid,
            initial_arrays=first_model(seed),
            num_rounds=rounds,
            evaluate_fn=evaluation(seed, curve),
        )

    run_simulation(
        server,
        client_app(seed),
        num_supernodes=CLIENTS,
        backend_config={"client_resources": {"num_cpus": 1, "num_gpus": 0.0}},
    )
    return {"policy": policy, "seed": seed, **_left_out(out), "curve": curve}


def _left_out(out: Path) -> dict[str, Any]:
    """Return the number of rounds that pruned each client, by the `host.json` of each round."""
    found = {"honest": 0, "honest_pruned": 0, "attacks": 0, "attacks_pruned": 0}
    for path in sorted(out.glob("round_*/host.json")):
        number = int(path.parent.name.removeprefix("round_"))
        for one in json.loads(path.read_text())["participants"].values():
            attacks = one["metrics"]["client"] in COMPROMISED and number >= FIRST_ATTACKED
            who = "attacks" if attacks else "honest"
            found[who] += 1
            found[f"{who}_pruned"] += one.get("left_out") == "pruned"
    return found


if __name__ == "__main__":
    main()
