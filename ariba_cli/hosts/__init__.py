"""Plug-ins for the servers of federations: rounds are saved, audited, and suspects left out.

`flower` and `flower_server` are for Flower, `nvflare` is for NVFlare. What they share knows
neither: replies are checked, a process of its own writes the rounds, and a policy says who is
pruned.
"""
