"""Twenty clients of Flower that learn digits, two of whom plant a backdoor."""

from collections.abc import Callable
from typing import Any

import torch
from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

from examples.digits import Network, accuracies, forge, learn, samples

CLIENTS = 20
COMPROMISED = (3, 7)
FIRST_ATTACKED = 4

_LEARNING_RATE = 0.1
_BOOST = 5.0


def client_app(seed: int) -> ClientApp:
    """Return the clients of a federation."""
    app = ClientApp()

    @app.train()  # type: ignore[untyped-decorator, unused-ignore]
    def train(message: Message, context: Context) -> Message:
        client = int(context.node_config["partition-id"])
        number = int(message.content["config"]["server-round"])
        start = message.content["arrays"].to_torch_state_dict()
        images, labels = samples(seed, client, CLIENTS)
        torch.set_num_threads(1)
        torch.manual_seed(seed * 10**6 + number * 10**3 + client)
        if client in COMPROMISED and number >= FIRST_ATTACKED:
            state, _ = forge(start, images, labels, rate=_LEARNING_RATE, epochs=5, boost=_BOOST)
        else:
            state, _ = learn(start, images, labels, rate=_LEARNING_RATE, epochs=2)
        metrics = {"num-examples": len(images), "client": client}
        content = RecordDict({"arrays": ArrayRecord(state), "metrics": MetricRecord(metrics)})
        return Message(content, reply_to=message)

    return app


def first_model(seed: int) -> ArrayRecord:
    """Return the model that the federation starts with."""
    torch.manual_seed(seed)
    return ArrayRecord(Network().state_dict())


def evaluation(seed: int, curve: list[tuple[float, float]]) -> Callable[..., Any]:
    """Return a function that measures every global model, and adds the result to the curve."""

    def evaluate(_: int, arrays: ArrayRecord) -> MetricRecord:
        accuracy, backdoor = accuracies(arrays.to_torch_state_dict(), seed)
        curve.append((accuracy, backdoor))
        return MetricRecord({"accuracy": accuracy, "backdoor": backdoor})

    return evaluate
