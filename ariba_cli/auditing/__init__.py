"""A round → a verdict: find the layers, score them one by one, rank, and measure the firmness.

`audit` has the steps; `settings` has the options. `choice` finds the layers, `intake` and
`reading` the values that participants sent, `examination` scores a layer with the objections of
`ranking_checks`. `ranking`, `stability` and `evidence` come from the marks; `evaluation` compares
a verdict with the truth of a simulation.
"""
