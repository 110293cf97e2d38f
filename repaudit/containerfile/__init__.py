"""Floor 2: which line of a Containerfile stands behind which layer."""

from repaudit.containerfile.find import find
from repaudit.containerfile.history import find_step, layer_instructions
from repaudit.containerfile.parser import parse
from repaudit.containerfile.stages import Containerfile, Stage
from repaudit.containerfile.statement import Heredoc, Statement

__all__ = [
    "Containerfile",
    "Heredoc",
    "Stage",
    "Statement",
    "find",
    "find_step",
    "layer_instructions",
    "parse",
]
