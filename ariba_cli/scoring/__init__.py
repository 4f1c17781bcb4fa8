"""From fragments to distances to exact marks (arXiv 2202.04311, Algorithm 2).

`engine` has the steps. A `Processor` (`cpu`, `gpu`) does the work that goes over all fragments,
in any order and approximately; `covariance` and `selection` bound its error,
and compute exactly where it matters, which `near_cuts` finds. The decisive steps are the same
on every machine: exact sums (`moments`), IEEE operations in one order (`whitening`),
and ties that are broken by participant and fragment (`marks`). Neither BLAS nor threads nor
devices can change a result. `pyod` marks with the detectors of another library, which give no
such guarantee.
"""
