"""What a verifier compares attestation evidence with (RFC 9334): one consumer's form a file."""

from repaudit.host.registry import Registry
from repaudit.reference_values.interface import Audited, ReferenceValues

REFERENCE_VALUES: Registry[ReferenceValues] = Registry("repaudit.reference_values", "REFERENCE")

__all__ = ["REFERENCE_VALUES", "Audited", "ReferenceValues"]
