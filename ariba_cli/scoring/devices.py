"""The device that does the arithmetic over all fragments: `auto`, `cpu`, `cuda` or `cuda:N`."""

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
    """The device that was asked for. The result is the same on every device.

    Attributes
    ----------
    device : str
        The name of the device. `auto` takes a GPU if there is one and the layer is large enough.
    notice : callable
        The function that is called with messages for the user about the progress of the work.
    """

    device: str = "auto"
    notice: Callable[[str], None] = no_message

    def __post_init__(self) -> None:
        """Refuse a name that does not name a device.

        Raises
        ------
        UsageError
            When it does not name a device.
        """
        if not re.fullmatch(r"auto|cpu|cuda(:[0-9]{1,4})?", self.device):
            raise UsageError(f"unknown device '{self.device}'; use auto, cpu, cuda or cuda:N")

    def processor(self, fragments: "Fragments") -> "Processor":
        """Return the processor to score these fragments on.

        Raises
        ------
        UsageError
            When there is no such device.
        """
        device = self.device
        if device == "auto":
            size = fragments.total * fragments.cut.dimension * fragments.dtype.itemsize
            large = size >= _WORTH_A_CARD and fragments.elsewhere is None
            device = "cuda" if large and os.path.exists(_DRIVER) else "cpu"
        if not is_gpu(device):
            from ariba_cli.scoring.cpu import Cpu

            return Cpu()
        from ariba_cli.scoring.gpu import Gpu

        return Gpu(device, self.notice)


AUTO = DeviceChoice()
