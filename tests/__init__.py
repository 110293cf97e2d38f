"""The tests, the demo and the benchmark."""
