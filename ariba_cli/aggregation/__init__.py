"""A round → the next global model: aggregation rules over a stream of updates."""
