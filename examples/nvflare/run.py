"""Run three sites in NVFlare's simulator: `python -m examples.nvflare.run OUT`."""

import argparse
import json
import os
import tempfile
from pathlib import Path

from examples.digits import Network, accuracies
from examples.nvflare.sites import SEED, SITES

_REPOSITORY = Path(__file__).parents[2]


def main() -> None:
    """Run them, and print a line of JSON with the accuracies of each round's model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, help="the directory for the rounds, a new one")
    parser.add_argument("--policy", default="watch", help="watch, or suspects for one of three")
    parser.add_argument("--rounds", type=int, default=6)
    asked = parser.parse_args()
    federation(asked.out, asked.policy, asked.rounds)
    print(json.dumps({"policy": asked.policy, "curve": curve(asked.out)}))


def federation(out: Path, policy: str, rounds: int) -> None:
    """Run the federation.

    Parameters
    ----------
    out : Path
        The directory for the rounds.
    policy : str
        The policy of `AribaAggregator`.
    rounds : int
        The number of rounds; attacks begin with round 3.
    """
    os.environ["PYTHONPATH"] = os.pathsep.join(
        [str(_REPOSITORY), *filter(None, [os.environ.get("PYTHONPATH")])]
    )
    from nvflare.app_opt.pt.recipes.fedavg import FedAvgRecipe
    from nvflare.recipe import SimEnv

    from ariba_cli.hosts.nvflare import AribaAggregator

    audit = {"k_est": 1} if policy == "suspects" else None
    recipe = FedAvgRecipe(
        name="ariba",
        model=Network(),
        min_clients=SITES,
        num_rounds=rounds,
        train_script=str(Path(__file__).with_name("client.py")),
        aggregator=AribaAggregator(str(out.absolute()), audit, policy),
    )
    with tempfile.TemporaryDirectory() as workspace:
        recipe.execute(SimEnv(num_clients=SITES, workspace_root=workspace))


def curve(out: Path) -> list[tuple[float, float]]:
    """Return accuracy and backdoor of every model that was sent out, as read from the rounds."""
    import torch

    from ariba_cli.rounds.directory import open_round

    found = []
    for path in sorted(out.glob("round_*")):
        round_ = open_round(path)
        if round_.global_model is not None:
            state = dict(round_.open(round_.global_model).floats())
            model = {name: torch.tensor(one) for name, one in state.items()}
            found.append(accuracies(model, SEED))
    return found


if __name__ == "__main__":
    main()
