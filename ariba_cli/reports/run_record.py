"""The record of a run: versions, time and device, none of which decides a result."""

import sys
from collections.abc import Sequence
from datetime import datetime

from ariba_cli.base.version import VERSION
from ariba_cli.reports.canonical import ConfigRecord, RunRecord

_LIBRARIES = ("numpy", "h5py", "safetensors", "torch", "pyod", "scipy", "sklearn")


def run_record(
    started: datetime,
    seconds: float,
    *,
    argv: Sequence[str] = (),
    device: str = "cpu",
    round_path: str | None = None,
    sandbox: dict[str, int | bool] | None = None,
    config: ConfigRecord | None = None,
) -> RunRecord:
    """Return the record of a run, with the versions of the libraries that it has imported.

    Parameters
    ----------
    started : datetime
        The time of the start, in UTC.
    seconds : float
        The duration, in seconds.
    argv : sequence of str, optional
        The arguments of the command; none where no command was given.
    device : str, optional
        The device on which layers were scored.
    round_path : str, optional
        The path of the audited round as the user gave it.
    sandbox : dict, optional
        The limits on the processes that parsed files, where there were any.
    config : ConfigRecord, optional
        The options that a file decided, where there was one.
    """
    import platform

    return RunRecord(
        ariba=VERSION,
        python=platform.python_version(),
        libraries={
            name: str(sys.modules[name].__version__) for name in _LIBRARIES if name in sys.modules
        },
        argv=list(argv),
        started=started.strftime("%Y-%m-%dT%H:%M:%SZ"),
        seconds=round(seconds, 3),
        device=device,
        round=round_path,
        sandbox=sandbox,
        config=config,
    )
