"""Where COPY --from took a file from: each rule of COPY, and what must stay unanswered."""

from __future__ import annotations

import pytest

from repaudit import containerfile as cf

BUILD = "FROM base AS build\nRUN make\n"


def origin(copy: str, path: str, *, before: str = "") -> list[tuple[str, str]]:
    parsed = cf.parse(f"{BUILD}FROM base\n{before}{copy}\n".encode())
    line = 4 + before.count("\n")
    return [(o.stage.label, o.path) for o in cf.origins(parsed, line, path)]


@pytest.mark.parametrize(
    ("copy", "path", "expected"),
    [
        ("COPY --from=build /out/app /usr/bin/app", "usr/bin/app", "out/app"),
        ("COPY --from=0 /out/app /usr/bin/app", "usr/bin/app", "out/app"),
        ("COPY --from=BUILD /out/app /usr/bin/", "usr/bin/app", "out/app"),
        ("COPY --from=build /out /srv", "srv/a/b", "out/a/b"),
        ("COPY --from=build /out/ /srv/", "srv/a", "out/a"),
        ("COPY --from=build /a/x /b/y /srv/", "srv/y", "b/y"),
        ("COPY --from=build /out/*.jar /srv/", "srv/app.jar", "out/app.jar"),
        ('COPY --from=build ["/a b/x", "/srv/x"]', "srv/x", "a b/x"),
        ("COPY --from=build / /", "etc/passwd", "etc/passwd"),
        ("COPY --chown=1 --from=build out/../app /srv/./app", "srv/app", "app"),
    ],
)
def test_the_place_before_is_the_first_answer(copy: str, path: str, expected: str) -> None:
    assert ("build", expected) == origin(copy, path)[0]


@pytest.mark.parametrize(
    ("copy", "path"),
    [
        ("COPY /out/app /usr/bin/app", "usr/bin/app"),
        ("COPY --from=other.example/image /out/app /usr/bin/app", "usr/bin/app"),
        ("COPY --from=build /out /srv", "opt/a"),
        ("COPY --from=build /out /srv", "srvother/a"),
        ("COPY --from=build /out app", "app"),
        ("COPY --from=build /out $WHERE", "srv/a"),
        ("RUN --mount=from=build true", "srv/a"),
    ],
)
def test_there_is_no_answer_where_the_text_has_none(copy: str, path: str) -> None:
    assert not origin(copy, path)


def test_a_working_directory_and_variables_are_followed() -> None:
    before = "ARG OUT=/out\nWORKDIR /srv\nWORKDIR deep\n"
    assert [("build", "out/a")] == origin("COPY --from=build $OUT .", "srv/deep/a", before=before)


def test_a_stage_below_gives_its_working_directory() -> None:
    text = "FROM scratch AS a\nFROM a AS b\nWORKDIR /w\nFROM b\nCOPY --from=a x y\n"
    found = cf.origins(cf.parse(text.encode()), 5, "w/y")
    assert [("a", "x")] == [(o.stage.label, o.path) for o in found]
