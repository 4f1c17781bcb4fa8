"""How well attackers who go on are found over a run: its rounds, and what the history says."""
