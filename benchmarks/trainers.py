"""Ways to train a federation from scratch, each in its usual style.

A trainer is a function that imports and prepares what it needs and returns what is timed:
all rounds, with an evaluation of the test set after each. A new one is a function here and a
line in `TRAINERS`.
"""

from collections.abc import Callable, Mapping
from importlib.util import find_spec

from benchmarks.federations import FederationSpec, make_dataset, make_federation
from benchmarks.loop import Run, Trained, evaluate, note, nothing_yet, train_locally


def ours(spec: FederationSpec) -> Run:
    """Return `ariba simulate` without its output, with the engine that it chooses."""
    return _engine(spec, other=False)


def other_engine(spec: FederationSpec) -> Run:
    """Return the same with the engine that it does not choose."""
    return _engine(spec, other=True)


def plain(spec: FederationSpec) -> Run:
    """Return a loop in PyTorch, one participant after the other, with the settings that it has."""
    return _loop(spec)


def plain_one_thread(spec: FederationSpec) -> Run:
    """Return the same on one thread: with a small model, several may be slower."""
    from ariba_cli.base.one_thread import one_thread

    train = _loop(spec)

    def run() -> Trained:
        with one_thread():
            return train()

    return run


def flower(spec: FederationSpec) -> Run:
    """Return Flower's simulation, with the local training and the evaluation of `plain`."""
    from benchmarks.flower import simulation

    return simulation(spec)


def not_installed(name: str) -> list[str]:
    """Return the modules that a trainer needs and that are not installed."""
    return [module for module in _NEEDED.get(name, ()) if find_spec(module) is None]


def _engine(spec: FederationSpec, *, other: bool) -> Run:
    from ariba_cli.federated.training import Method

    dataset = make_dataset(spec)
    method = None
    if other:
        chosen = make_federation(spec, dataset).engine.method
        method = next(one for one in Method if one is not chosen)

    def run() -> Trained:
        with make_federation(spec, dataset, method) as federation:
            found = nothing_yet(federation.engine.description)
            for trained in federation.rounds():
                note(found, trained.quality.loss, trained.quality.accuracy)
            return found

    return run


def _loop(spec: FederationSpec) -> Run:
    import torch

    dataset = make_dataset(spec)
    federation = make_federation(spec, dataset)
    network = federation.architecture.build()

    def run() -> Trained:
        found = nothing_yet(f"one after the other, threads: {torch.get_num_threads()}")
        initial = federation.initial_weights()
        state = {name: torch.from_numpy(values) for name, values in initial.items()}
        for number in range(1, spec.rounds + 1):
            states = []
            for name in federation.ids:
                network.load_state_dict(state)
                states.append(train_locally(network, federation.honest_task(name, number)))
            state = {key: torch.stack([one[key] for one in states]).mean(dim=0) for key in state}
            network.load_state_dict(state)
            evaluate(found, network, dataset.test_images, dataset.test_labels)
        return found

    return run


TRAINERS: Mapping[str, Callable[[FederationSpec], Run]] = {
    "ours": ours,
    "other-engine": other_engine,
    "plain": plain,
    "plain-one-thread": plain_one_thread,
    "flower": flower,
}
# They train in this process alone, so that its memory is all of theirs.
ONE_PROCESS = frozenset({"plain", "plain-one-thread"})

_NEEDED = {"flower": ("flwr", "ray")}
