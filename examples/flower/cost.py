"""Measure what saving costs a server: `python -m examples.flower.cost OUT --megabytes 45`.

Clients train nothing, and send back what they got, so that the server waits as little as it can.
"""

import argparse
import json
import os
import time
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from flwr.app import Array, ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg
from flwr.simulation import run_simulation

from ariba_cli.hosts.flower import AribaStrategy

# So that a model has several.
_TENSORS = 8


def main() -> None:
    """Print a line of JSON with the mean seconds of a round."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, help="the directory for the rounds, a new one")
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--megabytes", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--without", action="store_true", help="save nothing, to compare")
    asked = parser.parse_args()
    os.environ.setdefault("FLWR_TELEMETRY_ENABLED", "0")
    os.environ.setdefault("RAY_usage_stats_enabled", "0")
    out = None if asked.without else asked.out
    print(json.dumps(measured(out, asked.clients, asked.megabytes, asked.rounds)))


def measured(out: Path | None, clients: int, megabytes: int, rounds: int) -> dict[str, Any]:
    """Return the times of the rounds, and the time for which saving held up the server in each.

    Parameters
    ----------
    out : Path, optional
        The directory for the rounds; None to save nothing.
    clients, megabytes, rounds : int
        The number of clients, the megabytes of their models, and the number of rounds.
    """
    waited: list[float] = []
    ends: list[float] = []
    server = ServerApp()

    @server.main()  # type: ignore[untyped-decorator, unused-ignore]
    def run(grid: Grid, _: Context) -> None:
        strategy = AribaStrategy(FedAvg(fraction_evaluate=0.0), out=out, audit=None)
        judge = strategy.gate.judge

        def timed(*given: Any, **named: Any) -> Any:
            began = time.perf_counter()
            try:
                return judge(*given, **named)
            finally:
                waited.append(time.perf_counter() - began)

        setattr(strategy.gate, "judge", timed)  # noqa: B010
        draw = np.random.default_rng(0)
        shape = (megabytes * 10**6 // 4 // _TENSORS // 100, 100)
        tensors = {f"layer{i}.weight": draw.standard_normal(shape) for i in range(_TENSORS)}
        arrays = {name: Array(one.astype(np.float32)) for name, one in tensors.items()}
        strategy.start(
            grid=grid,
            initial_arrays=ArrayRecord(arrays),
            num_rounds=rounds,
            evaluate_fn=lambda *_: ends.append(time.perf_counter()),
        )

    resources = {"client_resources": {"num_cpus": 1, "num_gpus": 0.0}}
    run_simulation(server, _echo(), num_supernodes=clients, backend_config=resources)
    # The first round starts the clients.
    round_seconds = fmean(np.diff(ends)[1:])
    saving = fmean(waited[1:])
    return {
        "clients": clients,
        "megabytes": megabytes,
        "saved": out is not None,
        "round_seconds": round(round_seconds, 3),
        "held_up_seconds": round(saving, 4),
        "share": round(saving / round_seconds, 4),
    }


def _echo() -> ClientApp:
    app = ClientApp()

    @app.train()  # type: ignore[untyped-decorator, unused-ignore]
    def train(message: Message, _: Context) -> Message:
        metrics = MetricRecord({"num-examples": 1})
        content = RecordDict({"arrays": message.content["arrays"], "metrics": metrics})
        return Message(content, reply_to=message)

    return app


if __name__ == "__main__":
    main()
