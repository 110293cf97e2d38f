"""What can go wrong, each with its exit code and the way out.

RepauditError
├── UsageError            2   the command line or a configuration file is wrong
├── ToolMissingError      3   a program that this job needs is not installed
├── ToolFailedError       3   a program that this job needs ran and failed
├── ScratchError          3   scratch space cannot be had, or takes no more
├── MalformedError        3   an image, archive or report is refused, by name
│   └── UnreadableError   3   a file is not what its format says; caught where files are opened
├── ExtraMissingError     3   a Python package that this command needs is not installed
├── RefusedError          1   a signed statement does not verify; something may not be signed
├── UndecidedError        3   something may not be signed, for its verdict is open; or is no voice
├── SourceError           3   an image cannot be had (registry, storage, file)
├── UnreachableError      3   an index cannot be asked, so what it would say is not known
└── BuildError            3   the control build failed, so nothing can be said
"""

from __future__ import annotations


class RepauditError(Exception):
    """Base of every error that repaudit raises on purpose.

    `message` says what happened, `hint` the way out. Both are shown to the user.
    """

    exit_code = 3

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(RepauditError):
    """The command line or a configuration file is wrong."""

    exit_code = 2


class ToolMissingError(RepauditError):
    """A program that this job needs is not installed."""

    def __init__(self, tool: str, package: str) -> None:
        super().__init__(
            f"{tool} is not installed", hint=f"apt-get install {package} (see: repaudit doctor)"
        )


class ToolFailedError(RepauditError):
    """A program that this job needs ran and failed."""


class ScratchError(RepauditError):
    """Scratch space below a folder cannot be had, or takes no more: there is another to name."""

    def __init__(self, folder: object, words: str | None) -> None:
        super().__init__(
            f"cannot write below {folder}: {words}", hint="set TMPDIR to a folder with more room"
        )


class MalformedError(RepauditError):
    """An image, archive or report breaks its own format, or a bound that keeps the reader safe.

    `line` is where, in a text file, counted from 1; None where lines mean nothing.
    """

    def __init__(self, message: str, *, hint: str = "", line: int | None = None) -> None:
        super().__init__(message, hint=hint or "get it again from where it came; it is not sound")
        self.line = line


class UnreadableError(MalformedError):
    """A file is cut off, breaks its format, or would cost more than a bound to look into."""


class ExtraMissingError(RepauditError):
    """A Python package that this command needs is not installed; `extra` brings it along."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(
            f"the Python package {package} is not installed",
            hint=f"pip install 'repaudit[{extra}]'",
        )


class RefusedError(RepauditError):
    """A signed statement does not verify, or is about something else; or it may not be signed."""

    exit_code = 1


class UndecidedError(RepauditError):
    """Something may not be signed off, for its verdict is open.

    Or nobody is known to say it; or what an edit was made for is another by now.
    """


class SourceError(RepauditError):
    """An image cannot be had from where it was named."""


class UnreachableError(RepauditError):
    """An index gives no answer, or none that is whole: what it holds is not known."""


class BuildError(RepauditError):
    """The control build failed, so nothing can be said about reproducibility."""
