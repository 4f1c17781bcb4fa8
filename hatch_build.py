"""Compiles the kernels when the package is built; where that fails it warns, and goes on."""

import sys
import sysconfig
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Kernels(BuildHookInterface):  # type: ignore[misc]
    """A build hook of hatchling, for wheels and for editable installations alike."""

    def initialize(self, _version: str, build_data: dict[str, Any]) -> None:
        """Compile the library, and say that the wheel is for this kind of machine alone."""
        sys.path.insert(0, self.root)
        from ariba_cli.native.build import LIBRARY, compile_kernels

        why = compile_kernels()
        if why:
            self.app.display_warning(f"ariba is installed without native kernels: {why}")
            return
        build_data["artifacts"].append(str(LIBRARY.relative_to(self.root)))
        build_data["pure_python"] = False
        # It is called through ctypes: any Python will do.
        platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        build_data["tag"] = f"py3-none-{platform}"
