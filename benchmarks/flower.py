"""A federation in Flower's simulation engine, in the style of its own examples for PyTorch."""

import os
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from benchmarks.federations import FederationSpec, make_dataset, make_federation
from benchmarks.loop import Run, Trained, evaluate, nothing_yet, train_locally

if TYPE_CHECKING:
    from ariba_cli.federated.federation import Federation


def simulation(spec: FederationSpec) -> Run:
    """Return FedAvg over one client per participant, as many at a time as there are processors.

    Each run starts the processes of the engine and ends them.
    """
    # Neither of them tells anybody that it was used.
    os.environ |= {"FLWR_TELEMETRY_ENABLED": "0", "RAY_USAGE_STATS_ENABLED": "0"}
    import flwr
    from flwr.clientapp import ClientApp
    from flwr.serverapp import ServerApp
    from flwr.simulation import run_simulation

    processors = len(os.sched_getaffinity(0))
    resources: dict[str, Any] = {
        "init_args": {"num_cpus": processors},
        "client_resources": {"num_cpus": 1, "num_gpus": 0.0},
    }
    _federation(spec)

    def run() -> Trained:
        found = nothing_yet(f"Flower {flwr.__version__}, {processors} clients at a time")
        server, client = ServerApp(), ClientApp()
        server.main()(partial(_serve, spec, found))
        client.train()(partial(_train, spec))
        run_simulation(server, client, spec.participants, backend_config=resources)
        if len(found["loss"]) != spec.rounds:
            raise RuntimeError("the simulation ended early; what it said is above")
        return found

    return run


def _serve(spec: FederationSpec, found: Trained, grid: Any, _context: Any) -> None:
    """Do the work of Flower's server."""
    from flwr.app import ArrayRecord
    from flwr.serverapp.strategy import FedAvg

    from ariba_cli.federated.models import load_weights

    network = _federation(spec).architecture.build()
    dataset = _federation(spec).dataset

    def global_evaluation(number: int, arrays: Any) -> None:
        # The weights that the first round starts from are evaluated by nobody else.
        if number:
            network.load_state_dict(arrays.to_torch_state_dict())
            evaluate(found, network, dataset.test_images, dataset.test_labels)

    load_weights(network, _federation(spec).initial_weights())
    initial = ArrayRecord(network.state_dict())
    strategy = FedAvg(
        fraction_evaluate=0.0,
        min_train_nodes=spec.participants,
        min_available_nodes=spec.participants,
    )
    strategy.start(grid, initial, num_rounds=spec.rounds, evaluate_fn=global_evaluation)


def _train(spec: FederationSpec, message: Any, context: Any) -> Any:
    """Do the work of one of Flower's clients in a round."""
    from flwr.app import ArrayRecord, Message, MetricRecord, RecordDict

    federation = _federation(spec)
    participant = federation.ids[context.node_config["partition-id"]]
    network = federation.architecture.build()
    network.load_state_dict(message.content["arrays"].to_torch_state_dict())
    task = federation.honest_task(participant, message.content["config"]["server-round"])
    trained = train_locally(network, task)
    # The same for all, since ours weighs them alike.
    metrics = MetricRecord({"num-examples": 1})
    content = RecordDict({"arrays": ArrayRecord(trained), "metrics": metrics})
    return Message(content=content, reply_to=message)


@cache
def _federation(spec: FederationSpec) -> "Federation":
    """Return the data of a process of Flower's, as it would read them from disk once."""
    return make_federation(spec, make_dataset(spec))
