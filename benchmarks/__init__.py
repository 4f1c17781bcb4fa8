"""The speed of audits and training, beside other ways to the same result: `python -m benchmarks`.

`specs` says which rounds are used and `rounds` makes them; `contestants` are the ways to the
marks, `measure` is the process that one of them runs in, and `workers` the other end of it;
`jobs` says who is measured on what, `results` and `table` what is made of it. For training,
`federations` says what is trained, `trainers` are the ways to train it, `loop` is the part that
those other than ours share, and `flower` is one of them.

The process that measures others imports neither NumPy nor ariba: a child starts with the peak
memory of its parent.
"""
