"""What a file may take of the machine that reads it: every limit, in one place."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """The most that is read, held and waited for.

    Attributes
    ----------
    file_bytes : of a model file.
    json_bytes : of a file of ours.
    header_bytes : of a model's description of its tensors: a header, an index, a configuration.
    expanded_bytes : what the tensors of one file may take that are not stored as they are,
        but compressed or in chunks.
    tensors : in one file.
    dimensions : of one tensor.
    name_bytes : of a tensor's name, in UTF-8.
    files : and folders of participants in a round.
    folder_files : in the folder of one participant.
    seconds : for one question to the process that parses HDF5 or pickles.
    memory_bytes : what that process may take beyond what it starts with; for pickles, twice the
        file more.
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
