"""Where the arithmetic over all fragments is done: `auto`, `cpu`, `cuda` or `cuda:N`."""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ariba_cli.base.errors import UsageError
from ariba_cli.base.machine import is_gpu
from ariba_cli.base.progress import no_message

if TYPE_CHECKING:
    from ariba_cli.scoring.processor import Processor
    from ariba_cli.updates.fragments import Fragments

# What a driver for NVIDIA's cards makes, and costs nothing to look for.
_DRIVER = "/dev/nvidiactl"
# A layer of so many bytes takes NumPy longer on a few cores than torch takes to be imported.
_WORTH_A_CARD = 2**33


@dataclass(frozen=True)
class DeviceChoice:
    """Where to do it. The result is the same everywhere.

    Attributes
    ----------
    device : `auto` takes a card where there is one and the layer is large enough for it.
    notice : told what a user should know of how it goes.
    """

    device: str = "auto"
    notice: Callable[[str], None] = no_message

    def __post_init__(self) -> None:
        """Refuse what no detector could work on.

        Raises
        ------
        UsageError
            When it is the name of no device.
        """
        if not re.fullmatch(r"auto|cpu|cuda(:[0-9]{1,4})?", self.device):
            raise UsageError(f"there is no device '{self.device}'; use auto, cpu, cuda or cuda:N")

    def processor(self, fragments: "Fragments") -> "Processor":
        """The processor to score these fragments on.

        Raises
        ------
        UsageError
            When there is no such device.
        """
        device = self.device
        if device == "auto":
            size = fragments.total * fragments.cut.dimension * fragments.dtype.itemsize
            device = "cuda" if size >= _WORTH_A_CARD and os.path.exists(_DRIVER) else "cpu"
        if not is_gpu(device):
            from ariba_cli.scoring.cpu import Cpu

            return Cpu()
        from ariba_cli.scoring.gpu import Gpu

        return Gpu(device, self.notice)


AUTO = DeviceChoice()
