"""A page of HTML from a template: no script, and nothing from elsewhere.

Every value that a template prints passes `printable` and is escaped by jinja2; no value is ever
marked as safe. The content security policy lets nothing load or run but the one style sheet.
"""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime
from functools import cache

import jinja2
from markupsafe import Markup

from repaudit.model.text import printable
from repaudit.reporters import _words as words

_POLICY = "default-src 'none'; style-src 'sha256-{}'; base-uri 'none'; form-action 'none'"
_UNITS = ("B", "kB", "MB", "GB", "TB")


def page(template: str, **values: object) -> bytes:
    """Return the page that a template makes of values; the same ones give the same bytes."""
    environment = _environment()
    style = environment.get_template("report.css").render()
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode("ascii")
    text = environment.get_template(template).render(
        style=Markup(style),  # noqa: S704 - our own file, with nothing filled in
        policy=_POLICY.format(digest),
        words=words,
        **values,
    )
    return text.encode("utf-8")


def file(name: str) -> str:
    """Return a file that lies beside the templates, as it is."""
    loader = jinja2.PackageLoader("repaudit.reporters", "templates")
    return loader.get_source(_environment(), name)[0]


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("repaudit.reporters", "templates"),
        autoescape=True,
        finalize=_finalize,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"size": _size, "utc": _utc}
    return environment


def _finalize(value: object) -> object:
    """Make every text that the template prints fit to be shown; our own markup is."""
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _size(number: int) -> str:
    """Return bytes as people write them."""
    value, unit = float(number), 0
    while value >= 1000 and unit < len(_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    return (
        f"{value:.0f} {_UNITS[unit]}" if not unit or value >= 100 else f"{value:.1f} {_UNITS[unit]}"
    )


def _utc(epoch: int) -> str:
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
