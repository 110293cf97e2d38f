"""Floor 2: reading images as verified streams; layers as entries."""
