"""The rehearsal: real parts on loopback that stand in for the product's environment.

Nothing here imports the engine or the suites, and nothing outside 127.0.0.0/8 is contacted.
"""
