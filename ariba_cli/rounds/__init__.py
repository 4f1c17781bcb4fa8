"""A round on disk: opening, checking, reading a layer of one participant, writing, sealing.

Every byte and every name in a round may have been written by an attacker. Files are
opened in one place (`opening`), their formats are recognised by content (`formats`), and
anything that is not expressly allowed is refused.
"""
