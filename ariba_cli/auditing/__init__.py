"""A round → a verdict: what can be scored, scored layer by layer, ranked, and how firm that is.

`audit` has the steps; `settings` is what can be chosen. `choice` finds the layers, `intake` and
`reading` what participants sent, `examination` scores a layer with what `masking` says against
it. From the marks come `ranking`, `stability` and `evidence`; `evaluation` holds a verdict against
the truth of a simulation.
"""
