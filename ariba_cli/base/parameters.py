"""The value of a parameter of a detector."""

Parameter = str | int | float | bool | None

OF_SIGN = "p_"
"""Before the name of a sign it is the key of its chance among the details of a score."""
