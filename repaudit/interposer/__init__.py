"""Floor 4: the program that the builder calls as its OCI runtime, once for each verb and step."""
