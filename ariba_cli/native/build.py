"""The build of the kernels with the C compiler of the machine, at installation or later.

No import here needs a dependency of the package.
"""

import os
import platform
import shlex
import subprocess
import tempfile
from pathlib import Path

from ariba_cli.native.levels import LEVELS, LIBRARY, SOURCE, source_hash

_FLAGS = ("-std=gnu11", "-O3", "-ffp-contract=off", "-fPIC", "-fvisibility=hidden", "-Wno-psabi")
_AVX2 = ("-mavx2", "-mfma", "-mbmi2")
_AVX512 = (*_AVX2, "-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl")
# What the compiler may use at each level, from the one that every processor has.
_X86 = dict(zip(LEVELS, ((), _AVX2, _AVX512, (*_AVX512, "-mavx512ifma")), strict=True))
_OTHERS: dict[str, tuple[str, ...]] = {LEVELS[0]: ()}


def compile_kernels(extra: tuple[str, ...] = ()) -> str:
    """Compile the library and put it beside its source; remove an older library in any case.

    Parameters
    ----------
    extra : tuple of str, optional
        More arguments for the compiler, such as those of sanitizers.

    Returns
    -------
    str
        The reason of a failure; empty on success.
    """
    try:
        return _compile(extra)
    except OSError as error:
        return f"{error.filename or 'a file'}: {error.strerror}"


def _compile(extra: tuple[str, ...]) -> str:
    LIBRARY.unlink(missing_ok=True)
    compiler = shlex.split(os.environ.get("CC") or "cc")
    levels = _X86 if platform.machine().lower() in ("x86_64", "amd64") else _OTHERS
    with tempfile.TemporaryDirectory() as folder:
        objects = [str(Path(folder, f"{level}.o")) for level in levels]
        linked = Path(folder, "kernels.so")
        commands = [
            [*compiler, "-c", *_FLAGS, *flags, *extra, *_defines(level), str(SOURCE), "-o", made]
            for (level, flags), made in zip(levels.items(), objects, strict=True)
        ]
        commands.append([*compiler, "-shared", *extra, *objects, "-o", str(linked), "-lm"])
        for command in commands:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                return done.stderr.strip() or f"{command[0]} ended with {done.returncode}"
        # Whoever has the old library open keeps it.
        part = LIBRARY.with_suffix(".part")
        part.write_bytes(linked.read_bytes())
        part.replace(LIBRARY)
    return ""


def _defines(level: str) -> list[str]:
    """Return the macros of a level; one level also includes the code that belongs to none."""
    own = [f"-DLEVEL={level}"]
    return [*own, f'-DSOURCE="{source_hash()}"'] if level == LEVELS[0] else own


if __name__ == "__main__":
    raise SystemExit(compile_kernels() or None)
