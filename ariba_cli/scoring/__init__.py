"""From fragments to distances to exact marks (arXiv 2202.04311, Algorithm 2).

`engine` has the steps. What goes over all fragments is done by a `Processor` (`cpu`, `gpu`),
in any order and roughly; `covariance` and `selection` know how far off that may be,
and look closely where it matters, which `near_cuts` finds. What decides is the same on
every machine: sums that are exact (`moments`), IEEE operations in one order (`whitening`),
and ties that are broken by participant and fragment (`marks`). Neither BLAS nor threads nor
devices can change a result. `pyod` marks by detectors of another library, for which none of
this holds.
"""
