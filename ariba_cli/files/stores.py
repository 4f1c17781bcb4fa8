"""Stores on the network, and the paths into them.

Code that opens paths on the disk and does not know stores refuses a path into one, in one line.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from pathlib import PosixPath
from typing import TYPE_CHECKING, Any

from ariba_cli.base.errors import InputError

if TYPE_CHECKING:
    from obstore.store import ObjectStore

# The credentials of each kind of store, as a user is told to set them.
CREDENTIALS = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS in the environment",
    "az": "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY in the environment",
    "http": "no password: only open web servers are read",
    "https": "no password: only open web servers are read",
}

_RETRIES = 5
_RETRY_SECONDS = 60.0
_FIRST_WAIT = 0.2

# What a store says when it has no idea who asks.
_NOBODY = re.compile(
    r"169\.254\.169\.254|metadata|credential|must be specified|token request|missing",
    re.IGNORECASE,
)
_STATUS = re.compile(r"status code: ([0-9]{3})")


class RemotePath(PosixPath):
    """The place of an object in a store, or of all objects under it: `s3://bucket/key`."""

    def __str__(self) -> str:
        scheme, *rest = self.parts
        return f"{scheme}//{'/'.join(rest)}"

    def __fspath__(self) -> str:
        raise InputError(
            f"'{self}' is in an object store, where this does not work; copy it to this machine "
            "first"
        )

    def mkdir(self, mode: int = 0o777, parents: bool = False, exist_ok: bool = False) -> None:
        """Make nothing: a store has no folders, but objects with `/` in their names."""

    @property
    def scheme(self) -> str:
        """Return the kind of the store."""
        return self.parts[0].removesuffix(":")

    @property
    def bucket(self) -> str:
        """Return the address of the store."""
        return f"{self.scheme}://{self.parts[1]}"

    @property
    def key(self) -> str:
        """Return the name in the store."""
        return "/".join(self.parts[2:])


@cache
def store_of(address: str) -> "ObjectStore":
    """Return the connections to a bucket, with what the environment says of it."""
    from obstore.store import from_url

    retries: Any = {
        "max_retries": _RETRIES,
        "retry_timeout": timedelta(seconds=_RETRY_SECONDS),
        "backoff": {"init_backoff": timedelta(seconds=_FIRST_WAIT)},
    }
    # Whoever names an endpoint of http:// wants it.
    client: Any = {"timeout": "120s", "connect_timeout": "5s", "allow_http": True}
    return from_url(address, client_options=client, retry_config=retries)


@contextmanager
def answered(path: RemotePath) -> Iterator[None]:
    """Say in one line why a store gives no answer, without the addresses that it was asked at."""
    from obstore.exceptions import BaseError, PreconditionError

    try:
        yield
    except PreconditionError:
        raise
    except (BaseError, ValueError) as error:
        raise InputError(_why_no_answer(path, error)) from error


def _why_no_answer(path: RemotePath, error: Exception) -> str:
    from obstore.exceptions import (
        InvalidPathError,
        PermissionDeniedError,
        UnauthenticatedError,
    )

    text, where = str(error), f"'{path.bucket}'"
    found = _STATUS.search(text)
    status = found[1] if found else ""
    credentials = CREDENTIALS[path.scheme]
    if isinstance(error, InvalidPathError):
        return f"'{path}' holds names that files cannot have; copy the round without them"
    if _NOBODY.search(text):
        return f"there are no credentials for {where}; set {credentials}"
    if isinstance(error, PermissionDeniedError | UnauthenticatedError) or status in ("401", "403"):
        return f"{where} does not allow this with these credentials; set {credentials}"
    if "NoSuchBucket" in text or status == "404":
        return str(no_bucket(path))
    if status in ("405", "501"):
        return f"'{path}' cannot be listed: the server lacks WebDAV; copy the round first"
    if status in ("429", "503"):
        return f"{where} gets too many requests ({status}), even after a wait; try again later"
    answer = f"answers {status}" if status else "does not answer"
    return f"{where} {answer}, even when asked again; check the address, or try again later"


def no_bucket(path: RemotePath) -> InputError:
    """Return the error for a bucket that does not exist."""
    return InputError(f"there is no bucket '{path.bucket}'; check its name")
