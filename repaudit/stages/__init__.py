"""Floor 4: one verb each, functions over values: plan, build, compare, attribute."""
