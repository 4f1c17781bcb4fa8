"""Workers of a Dask cluster: processes of this machine, or of others that read the same files."""

import logging
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ariba_cli.base.errors import AribaError, InputError, ResourceError, UsageError
from ariba_cli.base.extras import CLUSTER, require
from ariba_cli.base.machine import cores
from ariba_cli.base.version import VERSION

if TYPE_CHECKING:
    from distributed import Client

Result = TypeVar("Result")

LOCAL = "local"

_CONNECT_SECONDS = 10
_WORKER_SECONDS = 60
# A worker that is lost takes its task with it; who loses so many is itself the fault.
_MOST_LOST = 3
# The messages about all participants are larger than Dask likes to send.
_LARGE = "1GB"


class Cluster:
    """The workers of a cluster; see `connected`.

    Attributes
    ----------
    where : str
        The place of the cluster, as the user named it.
    """

    def __init__(self, client: "Client", where: str) -> None:
        self._client = client
        self.where = where

    def map(
        self, function: Callable[[Any, Any], Result], shared: Any, items: Sequence[Any]
    ) -> Iterator[Result]:
        """Yield the results of a function for all items, in their order.

        Each is found again by another worker if the first is lost.

        Parameters
        ----------
        function : callable
            The function, which is called with what is shared and with an item.
        shared : object
            What it needs for all items.
        items : sequence
            The items.

        Raises
        ------
        ResourceError
            When the cluster goes away.
        AribaError
            When a worker raises it.
        """
        futures: list[Any] = []
        try:
            with _explained(self.where):
                # Every worker fetches it once, and whoever comes later makes it again.
                held = self._client.submit(_same, shared, pure=False)
                futures += [self._client.submit(function, held, item, pure=False) for item in items]
            for place in range(len(items)):
                with _explained(self.where):
                    found = futures[place].result()
                # What was taken need not be kept for us.
                futures[place] = None
                yield found
        finally:
            for one in futures:
                if one is not None:
                    one.cancel()


@contextmanager
def connected(where: str) -> Iterator[Cluster]:
    """Connect to a cluster, or start one on this machine, and leave it in the end.

    Parameters
    ----------
    where : str
        `local` for a process per core of this machine; the address of a scheduler, such as
        `tcp://10.0.0.7:8786`; or the file that a scheduler writes.

    Raises
    ------
    UsageError
        When it is none of them, or Dask is not installed.
    InputError
        When no scheduler answers, it has no workers, or they have another version of ariba.
    """
    if not re.fullmatch(r"local|(tcp|tls)://[^\s/]+:[0-9]+|.+\.json", where):
        raise UsageError(
            f"--cluster is '{where}'; write local, the address of a scheduler such as "
            "tcp://10.0.0.7:8786, or its file, such as scheduler.json"
        )
    if where.endswith(".json") and not Path(where).is_file():
        raise InputError(f"there is no '{where}'; start dask scheduler --scheduler-file {where}")
    require(CLUSTER, "--cluster")
    import dask
    from distributed import Client

    # What it says of lost workers, an error says in one line where it matters.
    for name in ("distributed", "tornado", "asyncio"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    settings = {
        "distributed.admin.large-graph-warning-threshold": _LARGE,
        "distributed.scheduler.allowed-failures": _MOST_LOST,
    }
    with ExitStack() as stack:
        stack.enter_context(dask.config.set(settings))
        try:
            place: dict[str, Any] = {"address": where}
            if where == LOCAL:
                place = {"address": stack.enter_context(_local())}
            elif where.endswith(".json"):
                place = {"scheduler_file": where}
            client = stack.enter_context(
                Client(**place, timeout=_CONNECT_SECONDS, set_as_default=False)
            )
        except (OSError, TimeoutError, ValueError) as error:
            raise InputError(
                f"no scheduler answers at '{where}'; start dask scheduler, or check the address"
            ) from error
        _check_workers(client, where)
        yield Cluster(client, where)


def _local() -> Any:
    from distributed import LocalCluster

    return LocalCluster(
        n_workers=cores(),
        threads_per_worker=1,
        processes=True,
        dashboard_address=None,
        silence_logs=logging.CRITICAL,
    )


def _check_workers(client: "Client", where: str) -> None:
    try:
        client.wait_for_workers(1, timeout=_WORKER_SECONDS)
        found = client.run(_version)
    except TimeoutError as error:
        raise InputError(
            f"the cluster at '{where}' has no workers; start some with dask worker"
        ) from error
    except Exception as error:
        raise InputError(
            f"the workers of '{where}' cannot run ariba; install ariba-cli {VERSION} there, "
            "with the same Python"
        ) from error
    others = {one for one in found.values() if one != _version()}
    if others:
        raise InputError(
            f"workers of '{where}' have {min(others)}, and this is {_version()}; install the same "
            "everywhere"
        )


def _version() -> str:
    return f"ariba {VERSION} on Python {sys.version_info[0]}.{sys.version_info[1]}"


def _same(shared: Any) -> Any:
    return shared


@contextmanager
def _explained(where: str) -> Iterator[None]:
    """Say in one line why a cluster does not work any more."""
    from concurrent.futures import CancelledError

    from distributed import KilledWorker

    try:
        yield
    except AribaError:
        raise
    except KilledWorker as error:
        raise ResourceError(
            f"{_MOST_LOST} workers of '{where}' were lost over the same piece of work; give them "
            "more memory, or make the pieces smaller with --max-memory"
        ) from error
    except (CancelledError, OSError, TimeoutError) as error:
        raise ResourceError(
            f"the cluster at '{where}' does not answer any more; start it again, and audit again"
        ) from error
