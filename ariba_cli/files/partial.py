"""`NAME.partial`: a directory that is being filled, and locked by the run that fills it.

The lock is an advisory one on the directory itself, so it ends with its process. A
directory that exists and is not locked was left by a run that was killed.
"""

import fcntl
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from ariba_cli.base.errors import OutputError
from ariba_cli.base.interrupts import defer_signals
from ariba_cli.files import objects
from ariba_cli.files.atomic import is_at
from ariba_cli.files.places import exists
from ariba_cli.files.stores import RemotePath

PARTIAL_SUFFIX = ".partial"

# Files that `write_atomically` has not finished.
TEMPORARY = r"\.[0-9a-f]{16}\.tmp"

# More than a run needs between making its directory and locking it.
_SECONDS_TO_LOCK = 0.1

# No name has this character, so that no pattern matches a link or a device.
_SPECIAL = "\0"


@contextmanager
def hold(path: Path, *, resume: bool) -> Iterator[Path]:
    """Make `NAME.partial` for the new directory `path`, and keep it locked during the block.

    The block receives its path. With `resume`, the directory may be one that a killed run left.
    When the block ends, an empty directory is removed.

    Raises
    ------
    OutputError
        When `path` exists, when another run fills `NAME.partial`, when a killed run left
        it and `resume` does not allow that, or when it cannot be made.
    """
    check_free(path)
    partial = path.with_name(path.name + PARTIAL_SUFFIX)
    with ExitStack() as cleaning:
        # A signal that came in between would leave the directory behind.
        with defer_signals():
            made = _make(partial)
            cleaning.enter_context(_locked(partial, made=made))
            if made or resume:
                cleaning.callback(_remove_if_empty, partial)
        if not (made or resume):
            raise OutputError(
                f"'{partial}' was left by a run that was stopped; finish it with --resume, or "
                "remove it"
            )
        # Another run may have finished between the first look and the lock.
        check_free(path)
        yield partial


def publish(partial: Path, path: Path) -> None:
    """Give a filled directory its final name.

    Raises
    ------
    OutputError
        When it cannot be renamed.
    """
    try:
        sync_directory(partial)
        os.rename(partial, path)
        sync_directory(path.parent)
    except OSError as error:
        raise OutputError(f"'{path}' cannot be made: {error.strerror}") from error


def check_contents(directory: Path, ours: str) -> None:
    """Refuse a directory with anything in it that this program did not write.

    Parameters
    ----------
    directory : Path
        The directory.
    ours : str
        The regular expression of known paths, relative to the directory; those of directories
        end with `/`.

    Raises
    ------
    OutputError
        When a path is not known, or is neither a regular file nor a directory.
    """
    found = (
        objects.keys_under(directory)
        if isinstance(directory, RemotePath)
        else _paths(directory, "")
    )
    for path in found:
        if not re.fullmatch(ours, path):
            raise OutputError(
                f"ariba did not write '{directory / path.rstrip(_SPECIAL)}'; move it away first"
            )


def remove(path: Path) -> None:
    """Remove a file, or a directory with everything in it."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def check_free(path: Path) -> None:
    """Refuse to write to a path that exists already, or to a name that no round may have.

    Raises
    ------
    OutputError
        When the path exists, or its name is one of an unfinished directory.
    """
    if path.name in ("", "..") or path.name.endswith(PARTIAL_SUFFIX):
        raise OutputError(
            f"'{path}' cannot be the name of a finished directory; choose one that does not end in "
            f"{PARTIAL_SUFFIX} or .."
        )
    if exists(path):
        raise OutputError(f"'{path}' exists; name another directory, or remove it first")


def sync_directory(path: Path) -> None:
    """Flush the list of a directory's entries to the disk."""
    if isinstance(path, RemotePath):
        return
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _make(partial: Path) -> bool:
    """Make the directory; return False if it exists already."""
    try:
        partial.parent.mkdir(parents=True, exist_ok=True)
        # Whatever has the name already, it is looked at when it is opened.
        with suppress(FileExistsError):
            partial.mkdir()
            return True
    except OSError as error:
        raise OutputError(f"'{partial}' cannot be made: {error.strerror}") from error
    return False


def _remove_if_empty(partial: Path) -> None:
    with suppress(OSError):
        os.rmdir(partial)


@contextmanager
def _locked(partial: Path, *, made: bool) -> Iterator[None]:
    """Lock a directory that this run has `made` or found."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        descriptor = os.open(partial, flags)
    except FileNotFoundError:
        raise _busy(partial) from None
    except OSError as error:
        raise OutputError(f"'{partial}' is in the way: {error.strerror}; remove it") from error
    try:
        if not made and not os.listdir(descriptor):
            # Another run may have made it a moment ago. That one is to get the lock.
            time.sleep(_SECONDS_TO_LOCK)
        _lock(descriptor, partial, made=made)
        if not is_at(partial, descriptor):
            # The other run finished, or gave up, after the directory was opened here.
            raise _busy(partial)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, partial: Path, *, made: bool) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise _busy(partial) from None
    except OSError as error:
        # Some network file systems have no such locks. What was made here is still ours.
        if not made:
            raise OutputError(
                f"'{partial}' is being written, or was left by a run that was stopped; ariba "
                f"cannot tell which ({error.strerror}); remove it when no run is at work"
            ) from error


def _busy(partial: Path) -> OutputError:
    return OutputError(
        f"'{partial}' is being written by another run; wait for it, or name another directory"
    )


def _paths(directory: Path, prefix: str) -> Iterator[str]:
    """Yield every path in a directory; those of special files end with `_SPECIAL`."""
    with os.scandir(directory) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            name = prefix + entry.name
            if entry.is_dir(follow_symlinks=False):
                yield f"{name}/"
                yield from _paths(directory / entry.name, f"{name}/")
            elif entry.is_file(follow_symlinks=False):
                yield name
            else:
                yield name + _SPECIAL
