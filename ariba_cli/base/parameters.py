"""The value of a parameter of a detector."""

Parameter = str | int | float | bool | None
