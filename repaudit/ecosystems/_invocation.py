"""Which program a command runs, with `sudo`, `env`, `sh -c` and their like taken off."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from msgspec import Struct
from msgspec.structs import replace

from repaudit.ecosystems._command import Command, Word
from repaudit.ecosystems._shell import parse
from repaudit.ecosystems.interface import Document
from repaudit.model.pins import Location

#: Programs that run the command behind them, and those of their options that take a word.
_WRAPPERS: Mapping[str, str] = {
    "chroot": "",
    "command": "",
    "doas": "-u",
    "eatmydata": "",
    "env": "-u -C -S --unset --chdir",
    "exec": "-a",
    "fakeroot": "",
    "gosu": "",
    "ionice": "-c -n -p",
    "nice": "-n",
    "nohup": "",
    "retry": "",
    "runuser": "-u -g",
    "stdbuf": "-i -o -e",
    "su-exec": "",
    "sudo": "-u -g -h -p -C -r -t",
    "time": "-f -o",
    "timeout": "-k -s",
    "xargs": "-I -n -P -d -L -a -E -s",
    "busybox": "",
}
#: How many words stand between such a program and the command.
_BEFORE = {"gosu": 1, "su-exec": 1, "timeout": 1, "chroot": 1}
SHELLS = frozenset({"sh", "bash", "dash", "ash", "zsh", "ksh"})
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=.*", re.DOTALL)
_VERSIONED = re.compile(r"(pip|python|npm|gem|node|perl|ruby)-?[\d.]+")
_DEEPEST = 4
_MOST = 20_000


class Invocation(Struct, frozen=True, kw_only=True):
    """One program and its arguments. `name` is its base name without a version (`pip3.11`: `pip`).

    `through_xargs` says that arguments come from elsewhere as well.
    """

    name: str
    arguments: tuple[Word, ...]
    command: Command
    through_xargs: bool = False

    def texts(self) -> tuple[str, ...]:
        """Return the arguments as text."""
        return tuple(word.text for word in self.arguments)


class Scene(Struct, frozen=True, kw_only=True):
    """Where commands stand. `fixed` is a span that stands for all, where offsets mean nothing.

    `snapshot` says that apt's sources were taken from a snapshot before. `held` asks for a file
    that the image would find under that name, by its bytes. `errexit` says that the shell is told
    to stop where a command fails (`sh -e`).
    """

    document: Document
    snapshot: bool = False
    errexit: bool = False
    fixed: tuple[int, int] | None = None
    held: Callable[[str], bytes | None] = lambda path: None

    def at(self, start: int, end: int) -> Location:
        """Return the location of some bytes of the script."""
        if self.fixed is None:
            return self.document.at(start, end)
        return replace(self.document.at(*self.fixed), start=None, end=None)

    def of(self, item: Word | Command) -> Location:
        """Return the location of a word or a command."""
        return self.at(item.start, item.end)


def invocations(commands: tuple[Command, ...], depth: int = 0) -> Iterator[Invocation]:
    """Yield what each command runs, and what the scripts that it hands to a shell run."""
    for command in commands[:_MOST]:
        found = unwrap(command)
        if found is None:
            continue
        yield found
        for script in _scripts(found) if depth < _DEEPEST else ():
            inner = parse(script.text.encode(), {}, script.start)
            for one in inner.commands:
                one.outer = command
            shifted = inner.commands if script.plain else tuple(_moved(inner.commands, script))
            yield from invocations(shifted, depth + 1)


def _moved(commands: tuple[Command, ...], word: Word) -> Iterator[Command]:
    for command in commands:
        words = tuple(
            replace(inner, start=word.start, end=word.end, plain=False) for inner in command.words
        )
        command.words, command.start, command.end = words, word.start, word.end
        yield command


def _scripts(found: Invocation) -> Iterator[Word]:
    """Yield literal scripts that a shell is given: `-c`, a heredoc, or the words of `eval`."""
    if found.name in SHELLS:
        texts = found.texts()
        flag = next((i for i, text in enumerate(texts) if re.fullmatch(r"-[a-z]*c", text)), None)
        if flag is not None:
            yield from (word for word in found.arguments[flag + 1 : flag + 2] if not word.nested)
        elif not any(not text.startswith("-") for text in texts):
            yield from found.command.fed
    elif found.name == "eval" and not any(word.nested for word in found.arguments):
        if found.arguments:
            first, *more = found.arguments
            text = " ".join(found.texts())
            end = found.arguments[-1].end
            yield replace(first, text=text, end=end, plain=False) if more else first
    elif found.name == "su":
        texts = found.texts()
        flags = (i for i, text in enumerate(texts) if text in ("-c", "--command"))
        yield from (found.arguments[i + 1] for i in flags if i + 1 < len(texts))


def unwrap(command: Command) -> Invocation | None:
    """Return what a command runs in the end, None where that is nothing, or behind too many."""
    words = command.words
    through_xargs = False
    for _ in range(_DEEPEST * 2):
        while words and _ASSIGNMENT.fullmatch(words[0].text):
            words = words[1:]
        if not words:
            return None
        name = base_name(words[0].text)
        if name not in _WRAPPERS:
            break
        through_xargs |= name == "xargs"
        words = _behind(name, words[1:])
    else:
        return None
    if name == "python" and [w.text for w in words[1:2]] == ["-m"] and len(words) > 2:
        name, words = base_name(words[2].text), words[2:]
    return Invocation(name=name, arguments=words[1:], command=command, through_xargs=through_xargs)


def base_name(program: str) -> str:
    """Return the program's name without its folder and its version."""
    name = program.rpartition("/")[2]
    versioned = _VERSIONED.fullmatch(name)
    return versioned[1] if versioned else name


def _behind(name: str, words: tuple[Word, ...]) -> tuple[Word, ...]:
    takes = _WRAPPERS[name].split()
    at = 0
    while at < len(words) and words[at].text.startswith("-"):
        text = words[at].text
        at += 2 if text in takes else 1
        if text == "--":
            break
    return words[at + _BEFORE.get(name, 0) :]


class Arguments(Struct, frozen=True, kw_only=True):
    """Arguments sorted: options by name with their values (None for a flag), and the rest."""

    options: tuple[tuple[str, Word | None, Word], ...]
    rest: tuple[Word, ...]

    def has(self, *names: str) -> bool:
        """Whether one of the options is there."""
        return any(name in names for name, _, _ in self.options)

    def values(self, *names: str) -> tuple[Word, ...]:
        """Return the values that the options have."""
        return tuple(value for name, value, _ in self.options if name in names and value)


def arguments(words: tuple[Word, ...], takes: str) -> Arguments:
    """Sort arguments; `takes` are the options, divided by blanks, that a value follows.

    `--name=value` and, for the single-letter ones of `takes`, `-nvalue` and `-abn value` are
    understood, as getopt(3) does.
    """
    known = frozenset(takes.split())
    options: list[tuple[str, Word | None, Word]] = []
    rest: list[Word] = []
    at = 0
    while at < len(words):
        word, text = words[at], words[at].text
        at += 1
        if text == "--":
            rest += words[at:]
            break
        if not text.startswith("-") or text == "-":
            rest.append(word)
            continue
        name, equals, value = text.partition("=")
        if text in known and at < len(words):
            options.append((text, words[at], word))
            at += 1
        elif equals and text.startswith("--"):
            options.append((name, replace(word, text=value, plain=False), word))
        elif not text.startswith("--") and len(text) > 2:
            at += _cluster(word, known, words[at : at + 1], options)
        else:
            options.append((text, None, word))
    return Arguments(options=tuple(options), rest=tuple(rest))


def _cluster(
    word: Word,
    known: frozenset[str],
    following: tuple[Word, ...],
    options: list[tuple[str, Word | None, Word]],
) -> int:
    """Read `-abc`; return how many of the following words belong to it."""
    if word.text in known:
        options.append((word.text, None, word))
        return 0
    for index, letter in enumerate(word.text[1:], start=1):
        flag = f"-{letter}"
        if flag not in known:
            options.append((flag, None, word))
            continue
        behind = word.text[index + 1 :]
        if behind:
            options.append((flag, replace(word, text=behind, plain=False), word))
            return 0
        options.append((flag, following[0] if following else None, word))
        return len(following)
    return 0
