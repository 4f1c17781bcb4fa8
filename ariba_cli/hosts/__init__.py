"""Plug-ins for the servers of federations: rounds are saved, audited, and suspects left out.

`flower` and `flower_server` are for Flower, `nvflare` is for NVFlare. The modules that they share
know neither: replies are checked, a separate process writes the rounds, and a policy says who is
pruned.
"""
