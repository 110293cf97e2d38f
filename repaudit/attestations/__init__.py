"""Signed statements as files: Sigstore bundles with a DSSE envelope."""
