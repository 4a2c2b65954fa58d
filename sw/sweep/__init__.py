"""Design-space sweeps: one network on many engines; every point computed once, by any number of processes.

axes (``axes``) -> points -> key (``keys``) -> in the store (``store``)? else on a worker (``local``, ``cluster``):
compile, cycle model, counts of accesses (``measure``) -> store -> energy, memory, Pareto front (``point``)
"""
