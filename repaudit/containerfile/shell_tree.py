"""The syntax tree of a shell text: tree-sitter's grammar of bash, of which sh is the most part.

The one place that reads shell. What its commands are worth is for those who ask: `shell` wants the
bytes of each word, to edit them, and `ecosystems/_shell.py` the values, to know what is taken in.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import tree_sitter_bash
from tree_sitter import Language, Node, Parser

from repaudit.host import clock
from repaudit.model.errors import MalformedError

#: Bytes; shell text that is longer is a program, or an archive with a script at its head.
LONGEST = 4 << 20
_PIECE = 1 << 16
#: Seconds; a script of a million bytes takes half of one.
_PATIENCE = 20.0
_MOST_DEPTH = 200
#: What holds commands side by side. The grammar hangs a redirection on the list that it ends.
LISTS = frozenset({"list", "program", "redirected_statement"})


@cache
def _language() -> Language:
    return Language(tree_sitter_bash.language())


def parse(text: bytes) -> Node:
    """Return the tree of any bytes; what is no shell is an ERROR in it.

    Raises MalformedError where they are longer than any script, or made to be slow to read.
    """
    if len(text) > LONGEST:
        raise MalformedError(f"a script of more than {LONGEST >> 20} MiB", hint="leave it out")
    # tree-sitter is quadratic where nearly everything is an error; nobody writes such a script.
    deadline = clock.ticks() + _PATIENCE
    try:
        tree = Parser(_language()).parse(
            lambda at, _: text[at : at + _PIECE],
            progress_callback=lambda *_: clock.ticks() > deadline,
        )
    except ValueError as error:
        raise MalformedError("it takes too long to be read as shell") from error
    return tree.root_node


def whole(text: bytes) -> Node | None:
    """Return the tree of a shell text, None where the grammar does not take all of it."""
    root = parse(text)
    return None if root.has_error or _depth(root) > _MOST_DEPTH else root


def _depth(root: Node) -> int:
    deepest, open_ = 0, [(root, 1)]
    while open_:
        node, depth = open_.pop()
        deepest = max(deepest, depth)
        open_ += [(child, depth + 1) for child in node.children]
    return deepest


def holds(old: bytes, new: bytes, *, first: bool) -> bool:
    """Whether `new`, which is `old` with `true` at one end, runs what `old` runs, and the `true`.

    It does not where `old` ends in a comment or in `&`, or begins in a list that `&` sends off.
    """
    before, after = whole(old), whole(new)
    if before is None or after is None:
        return False
    one, two = ([n.text for n in walk(root) if n.type == "command"] for root in (before, after))
    top = list(_top(after))
    ours = top[0] if first else top[-1]
    leaves = any(n.text in {b"exec", b"exit"} for c in top for n in c.children[:1])
    return (
        ours.text == b"true"
        and two == ([b"true", *one] if first else [*one, b"true"])
        and not any(n.type in {"&", "comment"} for n in walk(after) if _is_top(n))
        and (first or not leaves)
    )


def walk(root: Node) -> Iterator[Node]:
    """Yield a node and all below it, as they stand in the text."""
    open_ = [root]
    while open_:
        node = open_.pop()
        yield node
        open_ += reversed(node.children)


def _is_top(node: Node) -> bool:
    parent = node.parent
    return parent is None or (parent.type in LISTS and _is_top(parent))


def _top(root: Node) -> Iterator[Node]:
    """Yield the parts of the outermost list, however deep `&&` and `;` nest it."""
    for child in root.named_children:
        if child.type in LISTS:
            yield from _top(child)
        elif not child.type.endswith("redirect"):
            yield child
