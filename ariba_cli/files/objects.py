"""Objects in a store: listed once, read by ranges, and written whole or not at all."""

import hashlib
import os
import re
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ariba_cli.base.errors import InputError, OutputError, RefusedFileError, UsageError
from ariba_cli.base.extras import REMOTE, require
from ariba_cli.base.suggestions import nearest
from ariba_cli.files.clock import no_turn
from ariba_cli.files.stores import (
    CREDENTIALS,
    RemotePath,
    answered,
    no_bucket,
    store_of,
)

if TYPE_CHECKING:
    from obstore import ObjectMeta

_URL = re.compile(rf"({'|'.join(CREDENTIALS)}):(?:/+(.*))?", re.DOTALL)

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/")

# An answer takes milliseconds to come, in which a processor can wait for many others.
READERS = 32
# The start of a file has most headers in it.
BLOCK_BYTES = 2**12
# More are no round, and no run of rounds.
_MOST_OBJECTS = 1_000_000
# What is smaller is sent in one request, and the rest in parts of this size.
_PART_BYTES = 2**23


@dataclass
class StoredObject:
    """An object as the store listed it.

    Attributes
    ----------
    size : int
        Its size in bytes.
    etag : str
        The name that the store gives to its contents; empty if it gives none.
    modified : datetime
        The time when it was last written.
    start : bytes
        Its first bytes, if they have been read.
    """

    size: int
    etag: str
    modified: datetime
    start: bytes = b""

    @property
    def condition(self) -> dict[str, Any]:
        """Return the condition under which a request is answered: it has not been replaced."""
        # A weak etag never matches.
        if self.etag and not self.etag.startswith("W/"):
            return {"if_match": self.etag}
        return {"if_unmodified_since": self.modified}


@dataclass
class _Listing:
    """All objects under a path, by their keys, and the entries of each folder among them."""

    objects: dict[str, StoredObject] = field(default_factory=dict)
    # Of each entry, whether it is a folder.
    folders: dict[str, dict[str, bool]] = field(default_factory=dict)

    def add(self, root: str, meta: "ObjectMeta") -> None:
        """Add an object, and the folders between it and the root."""
        key, is_folder = meta["path"], False
        self.objects[key] = StoredObject(meta["size"], meta["e_tag"] or "", meta["last_modified"])
        while key != root:
            folder, _, name = key.rpartition("/")
            entries = self.folders.setdefault(folder, {})
            known = name in entries
            entries[name] = entries.get(name, False) or is_folder
            if known:
                return
            key, is_folder = folder, True


_lock = threading.Lock()
# Those that a user named, each listed when it is first asked for.
_listings: dict[Path, _Listing | None] = {}


def located(place: str | PathLike[str]) -> Path:
    """Return the path that a user means: one of the disk, or one into a store.

    Raises
    ------
    UsageError
        When it names no bucket, or has credentials in it, which a report would show.
    """
    if isinstance(place, RemotePath):
        return place
    # Paths have folded the two slashes already.
    found = _URL.fullmatch(fspath(place))
    if found is None:
        _refuse_unknown_scheme(fspath(place))
        return Path(place)
    scheme, rest = found[1], (found[2] or "").strip("/")
    if "@" in rest.partition("/")[0] or "?" in rest:
        raise UsageError(
            f"a {scheme}:// address must not contain a user, a password or a question mark, since "
            f"reports would show them; set {CREDENTIALS[scheme]}"
        )
    if not rest:
        raise UsageError(f"'{scheme}://' lacks the bucket; write {scheme}://BUCKET/ROUND")
    path = RemotePath(f"{scheme}://{rest}")
    with _lock:
        above = [one for one in (path, *path.parents) if one in _listings]
        if not any(_listings[one] is None for one in above):
            for one in above:
                del _listings[one]
            _listings[path] = None
    return path


def _refuse_unknown_scheme(place: str) -> None:
    """Refuse an address of a kind that is not known, which is no path either."""
    scheme = _SCHEME.match(place)
    if scheme is None or os.path.exists(place):
        return
    # The address of another service, or one that was spelled in another way.
    meant = nearest(scheme[1].lower(), CREDENTIALS)
    known = ", ".join(f"{name}://" for name in CREDENTIALS)
    hint = f"it reads {known}" if meant is None else f"did you mean {meant}://?"
    # No more of the address: it may have a password in it.
    raise UsageError(f"ariba cannot read {scheme[1]}://; {hint}")


def is_listed(path: RemotePath) -> bool:
    """Return whether this process has named a round or a store that a path lies in."""
    with _lock:
        return any(one in _listings for one in (path, *path.parents))


def find(path: RemotePath) -> StoredObject | None:
    """Return an object as it was listed; None if there is none.

    Raises
    ------
    InputError
        When the store does not say.
    """
    return _listing_of(path).objects.get(path.key)


def entries(path: RemotePath) -> dict[str, bool] | None:
    """Return the names in a folder, each with whether it is a folder; None if there is none.

    Raises
    ------
    InputError
        When the store does not say.
    """
    return _listing_of(path).folders.get(path.key)


def read_range(path: RemotePath, one: StoredObject, start: int, stop: int) -> memoryview:
    """Return bytes of an object; see `read_starts`.

    Raises
    ------
    RefusedFileError
        When it has been replaced or removed since it was listed.
    InputError
        When the store does not answer, though it was asked again.
    """
    if stop <= len(one.start):
        return memoryview(one.start)[start:stop]
    import obstore
    from obstore.exceptions import PreconditionError

    try:
        with no_turn(), answered(path):
            options: Any = {"range": (start, stop), **one.condition}
            return memoryview(obstore.get(store_of(path.bucket), path.key, options=options).bytes())
    except PreconditionError:
        raise RefusedFileError("changed while it was read") from None
    except FileNotFoundError:
        raise RefusedFileError("was removed while it was read") from None


def read_starts(paths: Iterable[Path]) -> None:
    """Read the first bytes of all objects at or under some paths, many at a time, and keep them.

    What cannot be read is met again when it is opened.
    """
    wanted: list[tuple[RemotePath, StoredObject]] = []
    for path in paths:
        if isinstance(path, RemotePath):
            one = find(path)
            wanted += [(path, one)] if one is not None else _under(path)

    def read(path: RemotePath, one: StoredObject) -> None:
        try:
            stop = min(BLOCK_BYTES, one.size)
            one.start = bytes(read_range(path, one, 0, stop)) if stop else b""
        except RefusedFileError:
            return

    with ThreadPoolExecutor(READERS) as pool:
        for done in [pool.submit(read, *one) for one in wanted]:
            done.result()


def write(path: RemotePath, pieces: Iterable[bytes | memoryview]) -> tuple[int, str]:
    """Write an object whole or not at all, and return its size and SHA-256.

    Raises
    ------
    OutputError
        When it cannot be written.
    """
    import obstore

    digest, size = hashlib.sha256(), 0

    def parts() -> Iterator[bytes]:
        nonlocal size
        held = bytearray()
        for piece in pieces:
            digest.update(piece)
            size += len(piece)
            held += piece
            if len(held) >= _PART_BYTES:
                yield bytes(held)
                held.clear()
        yield bytes(held)

    coming = parts()
    first = next(coming)
    whole: Any = first if len(first) < _PART_BYTES else chain([first], coming)
    try:
        with answered(path):
            obstore.put(store_of(path.bucket), path.key, whole, chunk_size=_PART_BYTES)
    except (InputError, FileNotFoundError) as error:
        why = error if isinstance(error, InputError) else no_bucket(path)
        raise OutputError(f"'{path}' cannot be written: {why}") from error
    return size, digest.hexdigest()


def remove_object(path: RemotePath) -> None:
    """Remove an object."""
    import obstore

    with answered(path):
        obstore.delete(store_of(path.bucket), path.key)


def keys_under(path: RemotePath) -> list[str]:
    """Return the names of all objects under a path as they are now, relative to it."""
    with _lock:
        _listings[path] = None
    return sorted(str(one.key).removeprefix(f"{path.key}/") for one, _ in _under(path))


def _under(path: RemotePath) -> list[tuple[RemotePath, StoredObject]]:
    found = []
    for name, is_folder in (entries(path) or {}).items():
        inside = path / name
        one = find(inside)
        if is_folder:
            found += _under(inside)
        elif one is not None:
            found.append((inside, one))
    return found


def _listing_of(path: RemotePath) -> _Listing:
    """Return the listing that tells of a path; see `located`."""
    with _lock:
        root = next((one for one in (path, *path.parents) if one in _listings), path)
        assert isinstance(root, RemotePath)
        listing = _listings.get(root)
        if listing is None:
            listing = _listings[root] = _listed(root)
        return listing


def _listed(root: RemotePath) -> _Listing:
    require(REMOTE, f"'{root}'")
    import obstore
    from obstore.exceptions import BaseError

    listing = _Listing()
    try:
        with answered(root):
            for metas in obstore.list(store_of(root.bucket), prefix=root.key or None):
                for meta in metas:
                    listing.add(root.key, meta)
                if len(listing.objects) > _MOST_OBJECTS:
                    raise InputError(
                        f"'{root}' holds more than {_MOST_OBJECTS:,} objects; give one round"
                    )
    except FileNotFoundError:
        raise no_bucket(root) from None
    except InputError as error:
        # Plain web servers list nothing, and yet have files.
        if not root.scheme.startswith("http") or not isinstance(error.__cause__, BaseError):
            raise
        listing = _alone(root)
        if not listing.objects:
            raise
    # What some programs put in the place of a folder.
    if root.key in listing.folders:
        listing.objects.pop(root.key, None)
    return listing if listing.objects else _alone(root)


def _alone(root: RemotePath) -> _Listing:
    """Return the listing of the object that a path names; an empty one if there is none."""
    import obstore

    listing = _Listing()
    try:
        with answered(root):
            if root.key:
                listing.add(root.key, obstore.head(store_of(root.bucket), root.key))
    except FileNotFoundError:
        pass
    return listing
