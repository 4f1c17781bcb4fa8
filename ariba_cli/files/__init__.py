"""Strangers' files, opened safely and within limits; our own, written whole or not at all."""
