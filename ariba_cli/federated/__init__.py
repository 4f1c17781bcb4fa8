"""The federation: data sets, partitions, models, local training, aggregation, measures.

Everything random is derived from (seed, purpose, round, participant), so that any
part of a run can be repeated alone. PyTorch is imported inside the functions that
need it.
"""
