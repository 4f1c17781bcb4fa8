"""Questions about a path that need no opening, wherever it leads: to the disk or to a store."""

import os
import stat
from pathlib import Path

from ariba_cli.base.errors import InputError
from ariba_cli.files import objects
from ariba_cli.files.stores import RemotePath


def is_folder(path: Path) -> bool:
    """Return whether a path leads to a folder."""
    if isinstance(path, RemotePath):
        return objects.entries(path) is not None
    return os.path.isdir(path)


def is_folder_itself(path: Path) -> bool:
    """Return whether a path is that of a folder, and not of a link to one."""
    if isinstance(path, RemotePath):
        return objects.entries(path) is not None
    try:
        return stat.S_ISDIR(path.lstat().st_mode)
    except (OSError, ValueError):
        return False


def is_file(path: Path) -> bool:
    """Return whether a path leads to a file."""
    if isinstance(path, RemotePath):
        return objects.find(path) is not None
    return os.path.isfile(path)


def exists(path: Path) -> bool:
    """Return whether there is anything at a path, if only a link."""
    if isinstance(path, RemotePath):
        return is_file(path) or is_folder(path)
    return os.path.lexists(path)


def entries(path: Path) -> list[tuple[str, bool]]:
    """Return the names in a folder, each with whether it is that of a folder.

    Raises
    ------
    OSError
        When it cannot be listed.
    """
    if isinstance(path, RemotePath):
        found = objects.entries(path)
        if found is None:
            raise NotADirectoryError(0, "Not a directory", str(path))
        return list(found.items())
    with os.scandir(path) as found_here:
        return [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in found_here]


def size_of(path: Path) -> int:
    """Return the size of a file in bytes.

    Raises
    ------
    OSError
        When there is none.
    """
    if isinstance(path, RemotePath):
        one = objects.find(path)
        if one is None:
            raise FileNotFoundError(0, "No such file", str(path))
        return one.size
    return os.lstat(path).st_size


def own_name(path: Path) -> str:
    """Return the name of a file or folder, which `.` has, too."""
    return path.name if isinstance(path, RemotePath) else path.resolve().name


def is_remote(path: Path) -> bool:
    """Return whether a path leads into a store."""
    return isinstance(path, RemotePath)


def lies_in(path: Path, folder: Path) -> bool:
    """Return whether a path, perhaps of nothing yet, lies in an existing folder."""
    if isinstance(path, RemotePath) or isinstance(folder, RemotePath):
        return is_remote(path) == is_remote(folder) and path.parent.is_relative_to(folder)
    inside, within = os.path.realpath(path.parent), os.path.realpath(folder)
    return os.path.isdir(folder) and (inside == within or inside.startswith(f"{within}{os.sep}"))


def readers(path: Path) -> int | None:
    """Return the number of threads that best read what lies there; None for one per core."""
    return objects.READERS if isinstance(path, RemotePath) else None


def relative(path: Path, root: Path) -> str:
    """Return a path relative to a folder, with `/`, by names alone.

    Raises
    ------
    InputError
        When one of them is in a store, and the path does not lie in the folder.
    """
    if not (isinstance(root, RemotePath) or isinstance(path, RemotePath)):
        return Path(os.path.relpath(path, root)).as_posix()
    if type(path) is not type(root) or not path.is_relative_to(root):
        raise InputError(f"'{path}' lies outside '{root}'; put it into the round")
    return "/".join(path.parts[len(root.parts) :])
