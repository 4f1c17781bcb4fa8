"""The limits on the resources that a file may take, all in one place."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """The limits on reading, memory and waiting.

    Attributes
    ----------
    file_bytes : int
        The size of a model file.
    json_bytes : int
        The size of a file of ours.
    header_bytes : int
        The size of a model's description of its tensors: a header, an index, a configuration.
    expanded_bytes : int
        The size of all tensors of one file that are stored compressed or in chunks.
    tensors : int
        The number of tensors in one file.
    dimensions : int
        The number of dimensions of one tensor.
    name_bytes : int
        The size of a tensor's name, in UTF-8.
    files : int
        The number of files, and of participants' folders, in a round.
    folder_files : int
        The number of files in the folder of one participant.
    seconds : float
        The seconds for one question to the process that parses HDF5 or pickles.
    memory_bytes : int
        The memory that this process may take beyond its initial memory; for pickles, plus twice
        the size of the file.
    """

    file_bytes: int = 2**35
    json_bytes: int = 2**26
    header_bytes: int = 2**24
    expanded_bytes: int = 2**30
    tensors: int = 100_000
    dimensions: int = 8
    name_bytes: int = 1024
    files: int = 100_000
    folder_files: int = 1_000
    seconds: float = 60.0
    memory_bytes: int = 2**31
