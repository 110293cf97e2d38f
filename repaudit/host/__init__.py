"""Floor 1: the only effects (processes, scratch space, the clock, plug-in loading)."""
