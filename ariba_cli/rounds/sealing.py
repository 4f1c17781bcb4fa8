"""The seal of a round, held against what lies in its directory."""

import os
import threading
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from ariba_cli.base.errors import RefusedFileError
from ariba_cli.base.findings import Finding, FindingKind
from ariba_cli.base.parallel import thread_map
from ariba_cli.base.progress import Progress
from ariba_cli.files.hashing import BUFFER_BYTES, file_sha256
from ariba_cli.files.limits import Limits
from ariba_cli.files.opening import open_file, read_small
from ariba_cli.rounds import manifest as manifests
from ariba_cli.rounds.manifest import Manifest


def read_seal(
    root: Path, files: Iterable[str], limits: Limits
) -> tuple[Manifest | None, list[Finding]]:
    """The manifest of a round, and what can be held against it without reading the files."""
    found = set(files)
    if manifests.NAME not in found:
        return None, [Finding(FindingKind.UNSEALED, f"the round has no {manifests.NAME}")]
    try:
        manifest = manifests.decode(read_small(root / manifests.NAME, limits))
    except RefusedFileError as error:
        return None, [
            Finding(FindingKind.SEAL_BROKEN, f"{manifests.NAME} {error}"),
            Finding(FindingKind.UNSEALED, f"the round has no sound {manifests.NAME}"),
        ]
    return manifest, list(_differences(root, manifest, found))


def verify_seal(
    root: Path,
    manifest: Manifest,
    files: Iterable[str],
    owners: Mapping[str, str],
    limits: Limits,
    progress: Progress,
) -> list[Finding]:
    """Hash every file that the seal lists, several at a time.

    Parameters
    ----------
    files : the files of the round: what else the seal lists may lie behind a link.
    owners : whose a file is, for those that are participants'.
    """
    names = [
        name
        for name in sorted(manifest.files.keys() & set(files))
        if os.lstat(root / name).st_size == manifest.files[name].bytes
    ]
    kept = threading.local()

    def check(name: str) -> Finding | None:
        if not hasattr(kept, "buffer"):
            kept.buffer = memoryview(bytearray(BUFFER_BYTES))
        try:
            with open_file(root / name, limits) as file:
                if file_sha256(file, kept.buffer) == manifest.files[name].sha256:
                    return None
            detail = f"{name} is not the file that was sealed: its sha256 differs"
        except RefusedFileError as error:
            detail = f"{name} {error}"
        return Finding(FindingKind.SEAL_BROKEN, detail, owners.get(name))

    findings = []
    for done, finding in enumerate(thread_map(check, names), 1):
        progress("verifying the seal", done, len(names))
        if finding is not None:
            findings.append(finding)
    return findings


def _differences(root: Path, manifest: Manifest, found: set[str]) -> Iterator[Finding]:
    for name in sorted(found - {manifests.NAME}):
        sealed = manifest.files.get(name)
        if sealed is None:
            yield Finding(FindingKind.UNLISTED_FILE, f"{name} is not in {manifests.NAME}")
        elif (actual := os.lstat(root / name).st_size) != sealed.bytes:
            detail = f"{name} has {actual:,} bytes; {manifests.NAME} says {sealed.bytes:,}"
            yield Finding(FindingKind.SEAL_BROKEN, detail)
    for name in sorted(set(manifest.files) - found):
        yield Finding(FindingKind.SEAL_BROKEN, f"{name} is in {manifests.NAME}, but missing")
