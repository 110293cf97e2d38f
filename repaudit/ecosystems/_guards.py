"""How far a command's failure keeps a script from going on. Source of the meaning: bash(1).

A check that fails must stop what would use the file: by `&&`, by `set -e`, by `|| exit 1`, or as
the last command, whose failure is the script's own.
"""

from __future__ import annotations

import re
from math import inf

from tree_sitter import Node

_BRANCHES = frozenset(
    {"if_statement", "elif_clause", "else_clause", "case_item", "do_group", "while_statement"}
)
_SEQUENCES = frozenset({"program", "compound_statement", "subshell", *_BRANCHES})
_THROUGH = frozenset(
    {"redirected_statement", "for_statement", "case_statement", "pipeline", "list"}
)
#: A word by which a shell is told to end where a command fails, or not to any more.
ERREXIT = re.compile(r"[-+][a-z]*e[a-z]*|errexit")
_QUITS = frozenset({"exit", "return"})


#: For what is there since before a byte: how far. The first pair of which that is so counts.
Guards = tuple[tuple[int, float], ...]


def guards(node: Node, *, errexit: bool) -> Guards:
    """Return up to which byte nothing runs where the command `node` fails; `inf` is for ever.

    A command in a branch guards only what came to be in the same one: for what was there before a
    byte, the end next to it counts. `errexit` says that `set -e` holds.
    """
    found: list[tuple[int, float]] = []
    end: float = node.end_byte
    while (above := node.parent) is not None:
        told = _tested(node, above, end)
        if told is not None or _lost(node, above):
            return (*found, (0, end if told is None else told))
        if above.type in _BRANCHES:
            found.append((above.start_byte, end))
        if above.type == "list":
            if _operator(above) == "||":
                above = _script(above)
            elif node != above.named_children[-1]:
                errexit, end = False, above.end_byte
        elif above.type in _SEQUENCES and _behind(node):
            if not errexit:
                return (*found, (0, end))
            if above.type != "subshell":
                break
        node = above
    return (*found, (0, inf))


def guarded(found: Guards, since: int) -> float:
    """Return the end that counts for what is there from the byte `since` on."""
    return next((end for start, end in found if since < start), found[-1][1])


def _tested(node: Node, above: Node, end: float) -> float | None:
    """Return the answer where `above` asks how `node` ended: as a condition, or negated."""
    if above.type == "negated_command" or (above.type == "pipeline" and _negated(above)):
        return inf if _quits_then(above) else end
    if above.type == "if_statement" and node == above.child_by_field_name("condition"):
        return end if _has_other(above) else above.end_byte
    return None


def _lost(node: Node, above: Node) -> bool:
    """Whether that `node` failed is forgotten."""
    if above.type == "pipeline":
        return _behind(node)
    if above.type == "list" and _operator(above) == "||":
        right = above.named_children[-1]
        return node == right or not _quits(right)
    return above.type not in _SEQUENCES | _THROUGH or _in_background(node)


def _script(node: Node) -> Node:
    """Return what `exit` leaves: the subshell around it, or the whole script."""
    while node.parent is not None and node.type != "subshell":
        node = node.parent
    return node


def _has_other(branch: Node) -> bool:
    return any(one.type in ("elif_clause", "else_clause") for one in branch.named_children)


def _behind(node: Node) -> bool:
    """Whether anything but another branch stands behind it."""
    after = node.next_named_sibling
    while after is not None and after.type == "comment":
        after = after.next_named_sibling
    return after is not None and after.type not in ("elif_clause", "else_clause", "file_redirect")


def _in_background(node: Node) -> bool:
    return node.next_sibling is not None and node.next_sibling.type == "&"


def _operator(node: Node) -> str:
    return next((child.type for child in node.children if not child.is_named), "")


def _negated(pipeline: Node) -> bool:
    return pipeline.named_children[0].type == "negated_command"


def _quits_then(condition: Node) -> bool:
    """Whether it is the condition of an `if` that ends the script."""
    above = condition.parent
    if above is None or above.type != "if_statement":
        return False
    body = [
        one for one in above.named_children[1:] if one.type not in ("elif_clause", "else_clause")
    ]
    return bool(body) and _quits(body[-1])


def _quits(node: Node) -> bool:
    """Whether a command ends the script with a failure."""
    if node.type in ("compound_statement", "list"):
        return bool(node.named_children) and _quits(node.named_children[-1])
    words = (node.text or b"").decode(errors="replace").split()
    return node.type == "command" and words[0] in _QUITS and words[1:] != ["0"]
