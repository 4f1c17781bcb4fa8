"""The rate at which attackers who go on are found over a run: its rounds, and its history."""
