"""Formats that cannot be opened here, recognised by their first bytes, with advice for each."""

import re
from collections.abc import Collection

from ariba_cli.base.errors import RefusedFileError
from ariba_cli.files.archive import MAGIC, open_archive
from ariba_cli.files.opening import OpenFile, OpenFolder

_WRITE = "write its arrays with numpy.savez or as safetensors"
_KERAS = "load it with Keras and call save_weights('NAME.weights.h5')"
_UNPACK = "unpack it first"

_TAR_AT = 257
_EMPTY_ARCHIVE = b"PK\x05\x06"
# The last bytes of a table of LevelDB, which the index of a TensorFlow checkpoint is.
_TABLE = bytes.fromhex("57fb808b247547db")

# What a file starts with, and what it is then.
_STARTS: tuple[tuple[bytes, str], ...] = (
    (rb"GGUF|lmgg|tjgg|fmgg", "is GGUF, for llama.cpp; give the model from which it was made"),
    (rb"....TFL3", f"is TensorFlow Lite; take the model from which it was made, {_KERAS}"),
    (rb"\x1f\x8b", f"is compressed with gzip; {_UNPACK}"),
    (rb"\x28\xb5\x2f\xfd", f"is compressed with zstd; {_UNPACK}"),
    (rb"\xfd7zXZ\x00", f"is compressed with xz; {_UNPACK}"),
    (rb"7z\xbc\xaf\x27\x1c", f"is a 7z archive; {_UNPACK}"),
    (rb"BZh[1-9]", f"is compressed with bzip2; {_UNPACK}"),
    (rb"\x04\x22\x4d\x18", f"is compressed with lz4; {_UNPACK}"),
    (rb"Rar!", f"is a RAR archive; {_UNPACK}"),
    (
        rb"\x78[\x01\x5e\x9c\xda]",
        f"is compressed with zlib, probably by joblib; load it with joblib and {_WRITE}",
    ),
    (
        rb"version https:",
        "is a Git LFS pointer, not the file itself; fetch the file with git lfs pull",
    ),
    (
        rb"(?i:\s*<(!doctype|html|head|\?xml))",
        "is a web page, perhaps a server's error message; download the file again",
    ),
    (rb"age-encryption|-----BEGIN PGP|Salted__", "is encrypted; decrypt it first"),
    (rb"PAR1", f"is Parquet; {_WRITE}"),
    (rb"ARROW1", f"is Arrow; {_WRITE}"),
    (rb"SQLite format 3", f"is an SQLite database; {_WRITE}"),
    (rb"MATLAB 5.0", f"is a MATLAB file; {_WRITE}"),
    (rb"\s*[\[{]\s*[\"\[{\d-]", f"is JSON or other text; {_WRITE}"),
    (
        rb"([\x81-\x8f]|\xde..)([\xa1-\xbf]|\xd9.)[\x20-\x7e]",
        "seems to be MessagePack, which Flax writes; read it with "
        f"flax.serialization.msgpack_restore and {_WRITE}",
    ),
    (rb"\x08[\x01-\x20](\x12.[\x20-\x7e]|\x3a)", f"seems to be ONNX; {_WRITE}"),
    (
        rb"\x0a.[\x0a\x12]",
        f"seems to be protobuf, which OpenFL and TensorFlow write; read it there and {_WRITE}",
    ),
)

# What an archive holds, by the names of its entries, and what it is then.
_INSIDE: tuple[tuple[str, str], ...] = (
    (
        r"model\.weights\.h5",
        "is a Keras archive; unzip it, and give the model.weights.h5 inside",
    ),
    (
        r"(.*/)?constants\.pkl|(.*/)?code/.*",
        "is TorchScript, which is code; save torch.jit.load(FILE).state_dict() instead",
    ),
    (
        r"(.*/)?archive_format|(.*/)?models/model\.json|(.*/)?serialized_state_dict.*",
        "is a program from torch.export; save its state_dict instead",
    ),
)

_ORBAX = (
    "is an Orbax checkpoint; restore it with orbax.checkpoint, and write its arrays with "
    "safetensors.flax or numpy.savez"
)
# What a folder holds, and what it is then.
_FOLDERS: tuple[tuple[str, str], ...] = (
    (r"_CHECKPOINT_METADATA|_METADATA|manifest\.ocdbt|ocdbt\.process_.*", _ORBAX),
    (
        r".*\.distcp",
        "is a distributed PyTorch checkpoint; turn it into one file with python -m "
        "torch.distributed.checkpoint.format_utils dcp_to_torch FOLDER FILE",
    ),
    (
        r"zero_to_fp32\.py|mp_rank_.*_model_states\.pt",
        "is a DeepSpeed checkpoint; turn it into one file with zero_to_fp32.py",
    ),
    (r"saved_model\.pb(txt)?", f"is a TensorFlow SavedModel; {_KERAS}"),
    (r".*\.data-\d+-of-\d+", f"is a TensorFlow checkpoint; {_KERAS}"),
    (
        r".*\.weights\.json",
        "holds Keras weights in several files; call save_weights without max_shard_size",
    ),
    (r"\.zarray|\.zgroup|zarr\.json", f"is Zarr; {_WRITE}"),
    (
        r"snapshots",
        "is a Hugging Face cache, which consists of links; copy the files behind them with cp -rL "
        "snapshots/REVISION",
    ),
)


def file_in_words(file: OpenFile) -> str | None:
    """Return a description of a file of no known format, with advice; None if it is unknown.

    Parameters
    ----------
    file : OpenFile
        A file that no format has opened. The description is only a guess.
    """
    if not file.size:
        return "is empty"
    if file.head.startswith(_EMPTY_ARCHIVE):
        return "is an empty zip archive"
    for start, words in _STARTS:
        if re.match(start, file.head, re.DOTALL):
            return words
    if file.size >= _TAR_AT + 5 and file.read(_TAR_AT, 5) == b"ustar":
        return f"is a tar archive; {_UNPACK}"
    if _is_of_checkpoint(file):
        return f"is a part of a TensorFlow checkpoint; {_KERAS}"
    return None


def folder_in_words(folder: OpenFolder) -> str | None:
    """Return a description of a folder without a known model, with advice; None if unknown."""
    return _first(_FOLDERS, folder.names)


def archive_in_words(file: OpenFile) -> str | None:
    """Return a description of an archive that a format refused, with advice; None if unknown."""
    if not file.head.startswith(MAGIC):
        return None
    try:
        with open_archive(file) as archive:
            names = archive.namelist()
    except RefusedFileError:
        return None
    found = _first(_INSIDE, names)
    if names and found is None and not any(name.endswith((".npy", "data.pkl")) for name in names):
        return f"is a zip archive of other files ({names[0][:80]!r}); {_UNPACK}"
    return found


def _first(known: tuple[tuple[str, str], ...], names: Collection[str]) -> str | None:
    """Return the words for the first pattern that a name matches."""
    for pattern, words in known:
        if any(re.fullmatch(pattern, name) for name in names):
            return words
    return None


def _is_of_checkpoint(file: OpenFile) -> bool:
    if re.search(r"\.data-\d+-of-\d+$", file.path.name):
        return True
    return file.size >= len(_TABLE) and file.read(file.size - len(_TABLE), len(_TABLE)) == _TABLE
