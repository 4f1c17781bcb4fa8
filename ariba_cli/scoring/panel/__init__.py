"""The signs that an attacker made an update, each with its chance among honest updates."""
