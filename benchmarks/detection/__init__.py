"""How well attacks are found: a matrix of simulated rounds, held against every detector."""
