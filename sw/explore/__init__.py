"""Design-space exploration: which engine for this network on this board?

space (``space``) -> sampler (``search``) -> candidate: cells against the board's (``limits``), cycles (``evaluate``),
accuracy of its widths (``precision``) -> objectives (``objectives``) -> Pareto front -> one of it (``recommend``)
"""
