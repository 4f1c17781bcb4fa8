"""Signs that an update was made by an attacker, each with its chance among honest ones."""
