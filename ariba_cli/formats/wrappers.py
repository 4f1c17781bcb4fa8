"""The parts that wrappers add to the names of tensors."""

import re

# Wherever what they wrap is: DataParallel and DistributedDataParallel, Opacus, torch.compile,
# FSDP, activation checkpointing, Lightning's Fabric.
_WRAPPER = re.compile(r"_?module|_orig_mod|_forward_module|_fpw_module|_\w+_wrapped_module")


def unwrapped(name: str) -> str:
    """Return the name of a tensor without the parts of wrappers, unless nothing else is in it.

    >>> unwrapped("_orig_mod.module.layer3._module.0.conv1.weight")
    'layer3.0.conv1.weight'
    """
    parts = [part for part in name.split(".") if not _WRAPPER.fullmatch(part)]
    return ".".join(parts) or name
