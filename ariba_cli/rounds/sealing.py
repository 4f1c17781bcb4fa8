"""The check of a round's seal against its directory."""

import threading
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from ariba_cli.base.errors import RefusedFileError
from ariba_cli.base.findings import Finding, FindingKind
from ariba_cli.base.parallel import thread_map
from ariba_cli.base.progress import Progress
from ariba_cli.files.hashing import BUFFER_BYTES, file_sha256
from ariba_cli.files.limits import Limits
from ariba_cli.files.opening import Stamp, open_file, read_small
from ariba_cli.files.places import readers, size_of
from ariba_cli.rounds import manifest as manifests
from ariba_cli.rounds.manifest import Manifest


class VerifiedSeal(NamedTuple):
    """The result of hashing the files of a round.

    Attributes
    ----------
    findings : tuple[Finding, ...]
        The files that differ from the sealed ones.
    stamps : Mapping[str, Stamp | None]
        The stamp of every file of the round when it was hashed, by its path relative to the round;
        None for a file that was not, of which there is a finding. Empty when no seal was verified.
    """

    findings: tuple[Finding, ...]
    stamps: Mapping[str, Stamp | None]

    def has_changed(self, name: str, stamp: Stamp) -> bool:
        """Return whether a file of the round has changed since the seal was verified."""
        if not self.stamps:
            return False
        # A file that came later was not listed, and so is not known to be unsealed.
        return name not in self.stamps or self.stamps[name] not in (None, stamp)


NOT_VERIFIED = VerifiedSeal((), {})


def read_seal(
    root: Path, files: Iterable[str], limits: Limits, planted: Collection[str] = ()
) -> tuple[Manifest | None, list[Finding]]:
    """Return the manifest of a round, and findings against it that need no reading of files.

    A manifest among the `planted` files is ignored.
    """
    found = set(files)
    if manifests.NAME in planted:
        return None, [Finding(FindingKind.UNSEALED, f"ariba does not trust {manifests.NAME}")]
    if manifests.NAME not in found:
        return None, [Finding(FindingKind.UNSEALED, f"the round has no {manifests.NAME}")]
    try:
        manifest = manifests.decode(read_small(root / manifests.NAME, limits))
    except RefusedFileError as error:
        return None, [
            Finding(FindingKind.SEAL_BROKEN, f"{manifests.NAME} {error}"),
            Finding(FindingKind.UNSEALED, f"the round has no valid {manifests.NAME}"),
        ]
    return manifest, list(_differences(root, manifest, found))


def verify_seal(
    root: Path,
    manifest: Manifest,
    files: Iterable[str],
    owners: Mapping[str, str],
    limits: Limits,
    progress: Progress,
) -> VerifiedSeal:
    """Hash every file that the seal lists, several at a time.

    Parameters
    ----------
    root : Path
        The directory of the round.
    manifest : Manifest
        Its seal.
    files : Iterable[str]
        The files of the round. Others in the seal may lie behind a link, and are not read.
    owners : Mapping[str, str]
        The ids of participants, by the files that are theirs.
    limits : Limits
        The limits on the size of a file.
    progress : Progress
        A callback that receives the number of files that have been hashed.
    """
    listed = set(files)
    names = sorted(manifest.files.keys() & listed)
    kept = threading.local()

    def check(name: str) -> tuple[Finding | None, Stamp | None]:
        if not hasattr(kept, "buffer"):
            kept.buffer = memoryview(bytearray(BUFFER_BYTES))
        # What has another size need not be read.
        finding = _difference(root, name, manifest)
        if finding is not None:
            return finding, None
        try:
            with open_file(root / name, limits) as file:
                sha256 = file_sha256(file, kept.buffer)
        except RefusedFileError as error:
            return Finding(FindingKind.SEAL_BROKEN, f"{name} {error}", owners.get(name)), None
        if sha256 != manifest.files[name].sha256:
            detail = f"{name} is not the file that was sealed: its sha256 differs"
            finding = Finding(FindingKind.SEAL_BROKEN, detail, owners.get(name))
        return finding, file.stamp

    findings = []
    stamps: dict[str, Stamp | None] = dict.fromkeys(listed)
    for done, (finding, stamp) in enumerate(thread_map(check, names, workers=readers(root)), 1):
        progress("verifying the seal", done, len(names))
        stamps[names[done - 1]] = stamp
        if finding is not None:
            findings.append(finding)
    return VerifiedSeal(tuple(findings), stamps)


def _differences(root: Path, manifest: Manifest, found: set[str]) -> Iterator[Finding]:
    for name in sorted(found - {manifests.NAME}):
        finding = _difference(root, name, manifest)
        if finding is not None:
            yield finding
    for name in sorted(set(manifest.files) - found):
        yield _missing(name)


def _difference(root: Path, name: str, manifest: Manifest) -> Finding | None:
    """Return a finding if the seal contradicts the presence or the size of a file."""
    sealed = manifest.files.get(name)
    if sealed is None:
        return Finding(FindingKind.UNLISTED_FILE, f"{name} is not in {manifests.NAME}")
    try:
        actual = size_of(root / name)
    except OSError:
        # It was there a moment ago.
        return _missing(name)
    if actual == sealed.bytes:
        return None
    detail = f"{name} has {actual:,} bytes; {manifests.NAME} says {sealed.bytes:,}"
    return Finding(FindingKind.SEAL_BROKEN, detail)


def _missing(name: str) -> Finding:
    return Finding(FindingKind.SEAL_BROKEN, f"{name} is in {manifests.NAME}, but missing")
