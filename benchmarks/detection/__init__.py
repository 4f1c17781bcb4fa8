"""The rate at which attacks are found: a matrix of simulated rounds, and every detector on it."""
