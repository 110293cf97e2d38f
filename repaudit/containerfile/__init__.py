"""Floor 2: which line of a Containerfile stands behind which layer."""
