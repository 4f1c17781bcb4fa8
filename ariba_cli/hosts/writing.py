"""The process that saves rounds: `python -m ariba_cli.hosts.writing`, started by `Saver`.

Its input is messages of `frames`, one for each round; its output a line of JSON for each. A
round that cannot be written costs that round alone. When its input ends, so does the process.
"""

import json
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from ariba_cli.base.errors import OutputError
from ariba_cli.formats import safetensors
from ariba_cli.formats.tensors import SIZES, TensorSpec
from ariba_cli.hosts.frames import Payload, receive
from ariba_cli.rounds.contents import HOST_NAME
from ariba_cli.rounds.writing import RoundWriter, new_directory

# By the names of `safetensors`.
Specs = Mapping[str, TensorSpec]


def in_file_order(specs: Specs) -> list[str]:
    """Return the names of tensors in the order of a file: the widest types first."""
    return sorted(specs, key=lambda name: (-SIZES[specs[name].dtype], name))


def payload_bytes(models: Mapping[str, Specs]) -> int:
    """Return the number of bytes of the tensors of all models."""
    return sum(spec.bytes for specs in models.values() for spec in specs.values())


def serve(source: BinaryIO) -> Iterator[str]:
    """Write the rounds of a stream of messages, and yield an answer for each."""
    while (message := receive(source)) is not None:
        began = time.perf_counter()
        models = {path: _specs(entries) for path, entries in message["models"].items()}
        payload = Payload(source, payload_bytes(models))
        try:
            _write(message, models, payload)
            answer: dict[str, object] = {"seconds": time.perf_counter() - began}
        except OutputError as error:
            answer = {"error": str(error)}
        except OSError as error:
            answer = {"error": f"'{message['path']}': {error.strerror}"}
        except EOFError:
            # The server was killed; what was begun is removed already.
            return
        payload.pass_over()
        yield json.dumps(answer)


def _write(message: Mapping[str, Any], models: Mapping[str, Specs], payload: Payload) -> None:
    with new_directory(Path(message["path"])) as partial:
        writer = RoundWriter(partial)
        for path, specs in models.items():
            writer.write(path, _file(specs, payload))
        writer.write(HOST_NAME, [message["host"].encode("ascii")])
        writer.seal(round_number=message["number"], kind=message["kind"], layers=message["layers"])


def _file(specs: Specs, payload: Payload) -> Iterator[bytes | memoryview]:
    names = in_file_order(specs)
    yield safetensors.encode_header({name: specs[name] for name in names})
    for name in names:
        yield from payload.pieces(specs[name].bytes)


def _specs(entries: list[Any]) -> dict[str, TensorSpec]:
    return {name: TensorSpec(dtype, tuple(shape)) for name, dtype, shape in entries}


def main() -> None:
    """Serve the process that started this one."""
    for answer in serve(sys.stdin.buffer):
        print(answer, flush=True)


if __name__ == "__main__":
    main()
