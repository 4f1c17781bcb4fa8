"""The ids of participants that a host knows by a number."""


def participant_id(node: int) -> str:
    """Return the id of a node, of one length for all numbers of 64 bits, signed or unsigned.

    >>> participant_id(7), participant_id(-1)
    ('node-00000000000000000007', 'node-18446744073709551615')
    """
    return f"node-{node % 2**64:020d}"
