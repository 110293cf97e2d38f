"""Floor 2: which line of a Containerfile stands behind which layer."""

from repaudit.containerfile.copied import Origin, origins
from repaudit.containerfile.find import find
from repaudit.containerfile.history import find_step, instruction, layer_instructions
from repaudit.containerfile.parser import parse
from repaudit.containerfile.stages import Containerfile, Stage
from repaudit.containerfile.statement import Heredoc, Statement

__all__ = [
    "Containerfile",
    "Heredoc",
    "Origin",
    "Stage",
    "Statement",
    "find",
    "find_step",
    "instruction",
    "layer_instructions",
    "origins",
    "parse",
]
