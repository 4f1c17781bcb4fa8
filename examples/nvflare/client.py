"""The client that NVFlare runs at each site."""

import torch
from nvflare import client

from examples.nvflare.sites import trained


def main() -> None:
    """Train whatever the server sends, until the run ends."""
    torch.set_num_threads(1)
    client.init()
    site = client.get_site_name()
    while client.is_running():
        model = client.receive()
        if model is None:
            break
        start = {name: torch.as_tensor(values) for name, values in model.params.items()}
        state, steps = trained(start, site, model.current_round or 0)
        meta = {"NUM_STEPS_CURRENT_ROUND": steps}
        client.send(client.FLModel(params=state, params_type="FULL", meta=meta))


if __name__ == "__main__":
    main()
