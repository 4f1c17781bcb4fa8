"""The libraries that only some commands need, and the extras that install them."""

from importlib.util import find_spec

from ariba_cli.base.errors import UsageError

SIMULATE, PYOD, REMOTE, CLUSTER = "simulate", "pyod", "remote", "cluster"
# The modules of each extra of pyproject.toml.
_MODULES = {
    SIMULATE: ("torch", "sklearn", "scipy", "pooch", "requests"),
    PYOD: ("pyod",),
    REMOTE: ("obstore",),
    CLUSTER: ("distributed",),
}


def require(extra: str, what: str) -> None:
    """Check that the libraries of an extra are installed.

    Parameters
    ----------
    extra : str
        The extra, one of `_MODULES`.
    what : str
        The work that needs them, as the subject of a sentence.

    Raises
    ------
    UsageError
        When one of them is not installed.
    """
    for module in _MODULES[extra]:
        if find_spec(module) is None:
            raise UsageError(
                f"{what} needs {module}, which is not installed; pip install 'ariba-cli[{extra}]'"
            )


def require_for_detector(name: str) -> None:
    """Check that the libraries of a detector are installed, such as for `pyod:ECOD`.

    Raises
    ------
    UsageError
        When one of them is not installed.
    """
    if name.partition(":")[0] == PYOD:
        require(PYOD, f"--detector {name}")


def device_at_hand(name: str) -> str:
    """Return the device to score on: `cpu` in the place of `auto` where there is no torch.

    Raises
    ------
    UsageError
        When a GPU is asked for, and torch is not installed.

    Examples
    --------
    >>> device_at_hand("cpu")
    'cpu'
    """
    if name == "auto":
        return name if find_spec("torch") is not None else "cpu"
    if name.startswith("cuda"):
        require(SIMULATE, f"--device {name}")
    return name
