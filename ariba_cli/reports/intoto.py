"""A report of an audit → an in-toto Statement about the files of its round, to be signed.

Some tools sign the Statement and make the envelope themselves, others sign an envelope.
"""

import base64
from typing import Any

from ariba_cli.reports.canonical import canonical_bytes
from ariba_cli.reports.sha256sums import hashes_of_inputs
from ariba_cli.verdicts.verdict import Verdict

# https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
# https://github.com/secure-systems-lab/dsse/blob/master/envelope.md
_PAYLOAD_TYPE = "application/vnd.in-toto+json"
PREDICATE_TYPE = "urn:ariba:predicate:audit:v1"


def intoto_statement(verdict: Verdict, content: dict[str, Any]) -> bytes:
    """Return the Statement that an audit of these files has this result.

    Parameters
    ----------
    verdict : Verdict
        The verdict of the audit.
    content : dict
        The JSON of the report, whose result is copied to the predicate.

    Raises
    ------
    InputError
        When the audit has not verified the seal, or the seal is broken or lacks a file.
    """
    statement = {
        "_type": STATEMENT_TYPE,
        "subject": [
            {"name": path, "digest": {"sha256": sha256}}
            for path, sha256 in sorted(hashes_of_inputs(verdict).items())
        ],
        "predicateType": PREDICATE_TYPE,
        "predicate": {key: content[key] for key in ("schema_version", "result", "result_sha256")},
    }
    return canonical_bytes(statement) + b"\n"


def dsse_envelope(verdict: Verdict, content: dict[str, Any]) -> bytes:
    """Return the same Statement in a DSSE envelope, which nobody has signed yet.

    A signature is of the payload and its type, and goes into the list.

    Parameters
    ----------
    verdict : Verdict
        The verdict of the audit.
    content : dict
        The JSON of the report; see `intoto_statement`.

    Raises
    ------
    InputError
        When the seal does not hold; see `intoto_statement`.
    """
    statement = intoto_statement(verdict, content)
    envelope = {
        "payloadType": _PAYLOAD_TYPE,
        "payload": base64.b64encode(statement).decode("ascii"),
        "signatures": [],
    }
    return canonical_bytes(envelope) + b"\n"
