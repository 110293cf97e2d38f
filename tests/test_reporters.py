"""What each output format promises its reader; the laws of all of them are in test_report.py."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections import Counter
from datetime import date
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from junitparser import Error, Failure, JUnitXml, Skipped
from markdown_it import MarkdownIt
from msgspec.structs import replace

from repaudit.containerfile.edit import unified
from repaudit.model.difference import Aspect, Difference
from repaudit.model.finding import Finding, FixOutcome
from repaudit.model.gate import GateResult
from repaudit.model.report import Report, Subject, Verdict
from repaudit.reporters import REPORTERS, Surface
from repaudit.reporters._gate import gate_page
from repaudit.reporters._ranks import ranked, summary
from repaudit.reporters._sign_off import sign_off_page
from repaudit.reporters._words import naming
from repaudit.stages.allow import Rules
from repaudit.stages.attribute import attribute
from repaudit.stages.gate import judge
from repaudit.stages.scene import Scene
from tests import samples, strategies
from tests.test_report import hostile_report

some = settings(
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    max_examples=40,
    deadline=None,
)
LARGE = samples.large()
BAD = samples.unreproducible()
MOST = {"markdown": 1 << 20, "html": 5_000_000, "sarif": 10_000_000}


def render(name: str, report: Report) -> bytes:
    return REPORTERS.load(name).render(report, Surface())


def moved(report: Report, lines: int) -> Report:
    """Return a report of the same Containerfile with so many more lines at its top."""

    def later(finding: Finding) -> Finding:
        where = finding.instruction
        return replace(
            finding, instruction=replace(where, line=where.line + lines) if where else None
        )

    return replace(report, findings=tuple(map(later, report.findings)))


@pytest.mark.parametrize("name", sorted(MOST))
def test_two_thousand_hostile_findings_stay_within_the_limit(name: str):
    data = render(name, LARGE)

    assert len(data) <= MOST[name]
    assert data == render(name, LARGE)


def test_the_unexplained_stands_first_and_what_follows_from_others_last():
    slugs = [one.cause.slug for one in ranked(BAD)]

    assert slugs[0] == "unexplained"
    assert slugs[-1] == "names_of_intermediate_images"
    assert slugs[1] == "different_due_to_umask"  # eight places, where the date has one


def several(number: int) -> Report:
    """Return a report of so many findings in as many places, a third of them unexplained."""
    slugs = ("captures_build_date", "unexplained", "different_due_to_umask")
    found = (
        samples.finding(
            n,
            slugs[n % 3],
            None,
            samples.difference(f"srv/{n}"),
            factors=() if n % 3 == 1 else BAD.findings[1].factors,
            evidence=(),
        )
        for n in range(number)
    )
    return replace(BAD, findings=tuple(found))


@pytest.mark.parametrize("name", ["text", "markdown"])
def test_what_many_findings_come_to_stands_before_them(name: str):
    told = html.unescape(render(name, several(30)).decode())
    before = told.partition("the image as a whole")[0]

    assert "30 findings (10 unexplained), 30 differences." in before
    rows = [re.sub(r"[| ]+", " ", line).strip() for line in before.splitlines()]
    (first, *_) = found = [row for row in rows if row.startswith("10 10 ")]
    assert first == "10 10 unexplained srv/1, srv/4, srv/7 and 7 more"
    assert [row.split()[2] for row in found] == [one.cause.slug for one in ranked(several(30))]


@pytest.mark.parametrize("name", ["text", "markdown"])
def test_few_findings_are_their_own_summary(name: str):
    assert b" cause " in render(name, several(9))
    assert b"places" not in render(name, several(8))


def test_a_summary_counts_the_causes_for_which_it_has_no_room():
    lines = summary(LARGE, naming(LARGE))

    assert len(lines) == 8
    assert sum(line.findings for line in lines) == len(LARGE.findings)
    assert lines[-1].cause == f"{len(ranked(LARGE)) - 7} more causes"
    assert lines[-1].told == ""


# Markdown.

MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable("table")
TAGS = {
    *("<code>", "</code>", "<details>", "</details>", "<summary>", "</summary>"),
}


def markup(data: bytes) -> list[tuple[str, str]]:
    """Return the tokens of a document that could do something: links, images, HTML."""
    tokens = [child for token in MARKDOWN.parse(data.decode()) for child in (token.children or ())]
    blocks = [token for token in MARKDOWN.parse(data.decode()) if token.type == "html_block"]
    found = [(t.type, t.content) for t in tokens if t.type in {"link_open", "image", "html_inline"}]
    inner = (re.findall(r"</?[^>]*>", block.content) for block in blocks)
    return found + [("html_inline", tag) for tags in inner for tag in tags]


@some
@given(text=strategies.hostile_texts)
def test_no_name_becomes_markup_in_markdown(text: str):
    report = hostile_report(text)
    tags = markup(render("markdown", report))

    assert {tag for _, tag in tags} <= TAGS
    assert Counter(tags)["html_inline", "<details>"] == 1


def test_a_strangers_cause_is_no_markup_in_markdown_either():
    one = replace(
        BAD.findings[0].cause, title="<img> [a](b) @me", remedy="`<b>` | ![x](y) <script>`"
    )
    report = replace(BAD, findings=(replace(BAD.findings[0], cause=one),))

    assert {tag for _, tag in markup(render("markdown", report))} <= TAGS


def test_markdown_shows_names_as_they_are():
    tree = MARKDOWN.render(render("markdown", hostile_report("a_b*c|<d>&`e`")).decode())

    assert "a_b*c|&lt;d&gt;&amp;`e`</code>" in tree


def test_a_fence_is_longer_than_any_in_the_difference():
    shown = replace(BAD.findings[1].differences[0], detail="-```\n+````\n</details>\n")
    report = replace(BAD, findings=(replace(BAD.findings[1], differences=(shown,), fix=None),))
    fences = [t for t in MARKDOWN.parse(render("markdown", report).decode()) if t.type == "fence"]

    assert [fence.content for fence in fences] == ["-```\n+````\n</details>\n"]


def test_markdown_counts_what_it_leaves_out():
    text = render("markdown", LARGE).decode()
    rows = len(re.findall(r"(?m)^\| (?!\d|-|findings|factor)", text))
    blocks = text.count("<details>")

    assert blocks == text.count("</details>")
    assert 0 < blocks < len(LARGE.findings)
    assert f"{len(LARGE.findings) - blocks} findings without details here." in text
    assert rows == len(LARGE.findings) or f"{len(LARGE.findings) - rows} more findings" in text
    assert "without details here" not in render("markdown", BAD).decode()


# SARIF.


def sarif(report: Report) -> dict:
    (run,) = json.loads(render("sarif", report))["runs"]
    return run


def test_sarif_points_at_the_line_in_the_repository():
    run = sarif(BAD)
    places = [result["locations"][0]["physicalLocation"] for result in run["results"]]

    assert {p["artifactLocation"]["uri"] for p in places} == {"images/shop/Containerfile"}
    # What concerns the image as a whole has no line of its own.
    assert [p["region"]["startLine"] for p in places] == [6, 4, 4, 1]


def test_each_result_has_its_rule_and_each_rule_its_words():
    run = sarif(LARGE)
    rules = run["tool"]["driver"]["rules"]

    assert {r["ruleId"] for r in run["results"]} == {rule["id"] for rule in rules}
    assert all(rules[r["ruleIndex"]]["id"] == r["ruleId"] for r in run["results"])
    assert len({rule["id"] for rule in rules}) == len(rules)
    for rule in rules:
        texts = [rule[key]["text"] for key in ("shortDescription", "fullDescription", "help")]
        assert all(0 < len(text) <= 1024 for text in texts)
        assert rule.get("name", "").lower() != rule["id"]


def test_an_alert_stays_the_same_when_a_comment_is_put_above_it():
    one, other = (sarif(report)["results"] for report in (BAD, moved(BAD, 3)))

    assert [r["partialFingerprints"] for r in one] == [r["partialFingerprints"] for r in other]
    assert one != other
    assert len({r["partialFingerprints"]["primaryLocationLineHash"] for r in one}) == len(one)


def test_nothing_found_is_an_empty_list_that_closes_alerts():
    assert sarif(samples.reproducible())["results"] == []
    assert sarif(samples.reproducible())["invocations"][0]["executionSuccessful"] is True


def test_what_could_not_be_told_is_no_success():
    (invocation,) = sarif(samples.inconclusive())["invocations"]

    assert invocation["executionSuccessful"] is False
    assert "no such thing" in invocation["toolExecutionNotifications"][0]["message"]["text"]


def test_two_images_have_no_lines_and_sarif_says_so():
    run = sarif(samples.two_images())

    assert run["results"] == []
    (note,) = run["invocations"][0]["toolExecutionNotifications"]
    assert samples.two_images().findings[0].id in note["message"]["text"]


def test_each_image_is_a_category_of_its_own():
    other = replace(BAD, subject=replace(BAD.subject, folder="images/other"))
    ids = [sarif(report)["automationDetails"]["id"] for report in (BAD, other)]

    assert ids == ["repaudit/images/shop/Containerfile/", "repaudit/images/other/Containerfile/"]


@some
@given(text=strategies.hostile_texts)
def test_no_name_becomes_an_address_or_a_link_in_sarif(text: str):
    run = sarif(hostile_report(text))
    for result in run["results"]:
        uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        assert re.fullmatch(r"[A-Za-z0-9%._~-][A-Za-z0-9%._~/-]*", uri)
        assert not re.search(r"(?<!\\)(\\\\)*\[", result["message"]["text"])


def replaced(text: str, edits: list[dict]) -> str:
    """Do to a text what a viewer of SARIF does: replace regions, the last one first."""
    lines = text.splitlines(keepends=True)
    for edit in sorted(edits, key=lambda e: e["deletedRegion"]["startLine"], reverse=True):
        region = edit["deletedRegion"]
        assert (region["startColumn"], region["endColumn"]) == (1, 1)
        new = edit["insertedContent"]["text"].splitlines(keepends=True)
        lines[region["startLine"] - 1 : region["endLine"] - 1] = new
    return "".join(lines)


def edits(report: Report) -> list[dict]:
    return [
        replacement
        for result in sarif(report)["results"]
        for fix in result.get("fixes", ())
        for change in fix["artifactChanges"]
        for replacement in change["replacements"]
    ]


a_file = st.lists(st.sampled_from(("FROM a\n", "RUN b\n", "RUN c \\\n", "\n", "# é\n")), max_size=9)


@some
@given(before=a_file, after=a_file)
def test_a_fix_in_sarif_is_the_edit(before: list[str], after: list[str]):
    one, other = "".join(before), "".join(after)
    edit = unified(one.encode(), other.encode(), "Containerfile").decode()
    fix = replace(samples.FIX, edit=edit)
    report = replace(BAD, findings=(replace(BAD.findings[1], fix=fix),))

    assert replaced(one, edits(report)) == other


@pytest.mark.parametrize("outcome", FixOutcome)
def test_a_fix_that_was_tried_in_vain_is_none(outcome: FixOutcome):
    fix = replace(samples.FIX, outcome=outcome)
    report = replace(BAD, findings=(replace(BAD.findings[1], fix=fix),))

    assert bool(edits(report)) is (outcome in {FixOutcome.GONE, FixOutcome.PARTLY})


@pytest.mark.parametrize("edit", ["nonsense", "@@ -1 +1 @@\n-a\n", "--- a\n+++ b\n@@ -1,9 +1 @@\n"])
def test_a_strangers_edit_that_is_none_is_left_out(edit: str):
    report = replace(BAD, findings=(replace(BAD.findings[1], fix=replace(samples.FIX, edit=edit)),))

    assert edits(report) == []


@pytest.mark.parametrize("name", ["html", "markdown", "junit"])
def test_people_see_the_edit_and_what_came_of_it(name: str):
    text = html.unescape(render(name, BAD).decode())

    assert '+RUN date -u -d "@$SOURCE_DATE_EPOCH" > /srv/built' in text
    assert "ith this edit the difference is gone" in text


# JUnit.


def junit(report: Report):
    (suite,) = JUnitXml.fromstring(render("junit", report))
    return suite


def kinds(suite, group: str) -> dict[str, list[type]]:
    return {
        case.name: [type(result) for result in case.result]
        for case in suite
        if case.classname == f"repaudit.{group}"
    }


def test_junit_has_a_case_for_each_factor_and_each_finding():
    suite = junit(BAD)

    assert kinds(suite, "factor") == {
        "time": [Failure],
        "umask": [Failure],
        "hostname": [],
        "file_order": [],
        "build_path": [Skipped],
    }
    assert list(kinds(suite, "finding").values()) == [[Failure]] * 4
    assert kinds(suite, "verdict") == {"verdict": [Failure]}


@pytest.mark.parametrize(
    ("report", "result"), [(samples.reproducible(), []), (samples.inconclusive(), [Error])]
)
def test_junit_tells_could_not_tell_from_fine(report: Report, result: list[type]):
    assert kinds(junit(report), "verdict") == {"verdict": result}


@some
@given(strategies.reports)
def test_junit_is_read_back_and_its_counts_are_true(report: Report):
    suite = junit(report)
    told = (suite.tests, suite.failures, suite.errors, suite.skipped)

    suite.update_statistics()
    assert told == (suite.tests, suite.failures, suite.errors, suite.skipped)


def test_a_case_keeps_its_name_when_a_comment_is_put_above_the_line():
    one, other = (kinds(junit(report), "finding") for report in (BAD, moved(BAD, 3)))

    assert list(one) == list(other)


# GitLab code quality.


def issues(report: Report) -> list[dict]:
    return json.loads(render("codequality", report))


def test_code_quality_has_what_gitlab_reads():
    found = issues(BAD)

    assert len(found) == len(BAD.findings)
    for issue in found:
        assert set(issue) == {"description", "check_name", "fingerprint", "severity", "location"}
        assert issue["severity"] in {"info", "minor", "major", "critical", "blocker"}
        assert issue["location"]["path"] == "images/shop/Containerfile"
        assert issue["location"]["lines"]["begin"] >= 1


def test_a_fingerprint_is_one_findings_of_one_image():
    other = replace(BAD, subject=replace(BAD.subject, folder="images/other"))
    here, there, later = (
        [issue["fingerprint"] for issue in issues(report)] for report in (BAD, other, moved(BAD, 3))
    )

    assert len({*here, *there}) == len(here) + len(there)
    assert here == later


def test_what_could_not_be_told_is_no_empty_list():
    assert issues(samples.reproducible()) == []
    assert [issue["severity"] for issue in issues(samples.inconclusive())] == ["critical"]


# HTML.

ELEMENTS = {
    *("html", "head", "meta", "title", "style", "body", "header", "nav", "main", "section"),
    *("article", "footer", "h1", "h2", "h3", "p", "a", "ul", "li", "dl", "dt", "dd", "div"),
    *("span", "strong", "code", "pre", "details", "summary"),
    *("table", "thead", "tbody", "tr", "th", "td", "svg", "g", "desc", "rect", "path", "text"),
}
ATTRIBUTES = {
    *("charset", "content", "http-equiv", "name", "lang", "id", "class", "href", "rel", "open"),
    *("role", "scope", "tabindex", "aria-hidden", "aria-label", "aria-labelledby"),
    *("viewbox", "preserveaspectratio", "x", "y", "rx", "width", "height", "d"),
}


class Page(HTMLParser):
    """What a page is made of: its elements with their attributes, and its text."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.style = ""
        self.feed(data.decode())
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "style":
            self.style += data
        else:
            self.words.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def page(report: Report) -> Page:
    return Page(render("html", report))


def faults(found: Page) -> list[str]:
    """Return what no page may hold, and every link that leads nowhere."""
    ids = [a["id"] for _, a in found.elements if "id" in a]
    links = [a["href"] for a in found.all("a")]
    named = [i for _, a in found.elements for i in (a.get("aria-labelledby") or "").split()]
    return [
        *sorted({tag for tag, _ in found.elements} - ELEMENTS),
        *sorted({name for _, a in found.elements for name in a} - ATTRIBUTES),
        *(i for i, number in Counter(ids).items() if number > 1),
        *(link for link in links if not link.startswith("https://") and link[1:] not in ids),
        *(link for link in links if link[:1] != "#" and not link.startswith("https://")),
        *(name for name in named if name not in ids),
        *found.open,
    ]


@pytest.mark.parametrize("name", sorted(samples.ALL))
def test_a_page_is_made_of_known_parts_and_leads_nowhere_else(name: str):
    assert faults(page(samples.ALL[name])) == []


def test_the_pages_of_the_gate_and_of_a_sign_off_are_made_of_the_same_parts():
    assert faults(Page(gate_page(samples.gate()))) == []
    beside = ["report.html", "report.html#finding-000000000001"]
    assert faults(Page(sign_off_page(samples.sign_off()))) == [*beside, *beside]


def test_the_trend_is_drawn_and_told_and_a_night_that_could_not_tell_makes_nothing_gone():
    result = samples.gate()
    found = Page(data := gate_page(result))
    told = [image.nights for image in result.images]
    text = data.decode()

    assert gate_page(result) == data
    assert [len(nights) for nights in told] == [30, 30]
    assert text.count('<rect class="counted"') == sum(bool(n.counting) for n in told[0])
    assert text.count('<rect class="excused"') == sum(bool(n.excused) for n in told[0])
    assert [bool(night.excused) for night in told[0]].index(True) == 11  # the twelfth
    for nights, trend in zip(told, found.all("svg"), strict=True):
        assert trend["role"] == "img"
        for night in nights:
            name = "tonight" if night.point.sequence is None else f"result {night.point.sequence}"
            counts = f"{len(night.counting)} counted, {len(night.excused)} excused"
            assert f"{name}: {night.light}, {counts}" in text
    # The table: night 5 could not tell; night 9 brings what night 10 lacks.
    row = r'class="keep">(?:result (?:15|27|30)\b).*?</tr>'
    cells = [re.findall(r'"number">(.+?)</td>', one) for one in re.findall(row, text)]
    assert cells[:3] == [["0", "0", "\u2013", "\u2013"], ["2", "0", "2", "0"], ["0", "0", "0", "2"]]
    one = samples.gate(1)
    assert b"<svg" not in gate_page(one)


@some
@given(strategies.reports)
def test_no_report_makes_other_parts(report: Report):
    # An id that turns up twice is a stranger's: findings of one id are merged into one.
    ids = [finding.id for finding in report.findings]
    if len(set(ids)) == len(ids):
        assert faults(page(report)) == []


@some
@given(text=strategies.hostile_texts)
def test_a_hostile_name_adds_no_part_to_the_gates_page(text: str):
    def tags(name: str) -> Counter[str]:
        rules = Rules(today=date(2027, 1, 1))
        judgement, _ = judge(name, hostile_report(name), None, (), rules)
        result = GateResult(light=judgement.light, images=(judgement,), warnings=(name,))
        return Counter(tag for tag, _ in Page(gate_page(result)).elements)

    assert set(tags(text or "a") - tags("a")) <= {"code"}


@some
@given(text=strategies.hostile_texts)
def test_a_hostile_name_adds_no_part_to_the_page(text: str):
    tags = [tag for tag, _ in page(hostile_report(text or "a")).elements]
    plain = [tag for tag, _ in page(hostile_report("a")).elements]

    # Lines of a difference, code in a sentence, and a long line told in full are all that it adds.
    assert set(Counter(tags) - Counter(plain)) <= {"span", "code", "p"}


def test_the_policy_lets_this_style_in_and_nothing_else():
    found = page(BAD)
    (policy,) = [a["content"] for a in found.all("meta") if "http-equiv" in a]
    digest = base64.b64encode(hashlib.sha256(found.style.encode()).digest()).decode()

    assert f"style-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'")
    assert "script-src" not in policy
    assert not re.search(r"url\(|@import|</", found.style)


def test_a_name_is_shown_as_it_is_and_what_it_hides_is_told():
    words = "".join(page(hostile_report("<b>&amp;\u202etxt.\0é")).words)

    assert "<b>&amp;\\u202etxt.\\x00é" in words


def test_every_picture_has_a_table_beside_it():
    found = page(BAD)
    pictures = [a for a in found.all("svg") if a.get("role") == "img"]
    bars = [a for a in found.all("svg") if a.get("aria-hidden") == "true"]

    assert len(pictures) == 1  # the chain; "The same as a table" follows
    assert "The same as a table" in found.words
    assert len(bars) == len(BAD.layers)  # in rows of a table that tell the size
    assert len(pictures) + len(bars) == len(found.all("svg"))


def test_the_page_tells_what_a_release_engineer_asks():
    text = "".join(page(BAD).words)

    for word in (
        "Containerfile:4",
        "date '+%a %e %b'",
        "umask 022 &&",
        "build_path: no step sees it",
    ):
        assert word in text
    for word in ("74.8 MB", "A known trace".lower(), "45\xa0%", "buildah bud"):
        assert word in text


def test_a_report_without_runs_or_layers_has_no_empty_sections():
    titles = {a["id"] for a in page(samples.inconclusive()).all("section")}

    assert titles == {"verdict"}


def test_a_difference_of_several_findings_is_shown_once():
    first, second = BAD.findings[1], replace(BAD.findings[1], id="0" * 11 + "f")
    text = "".join(page(replace(BAD, findings=(first, second))).words)

    assert text.count("-Sat 1 Jan") == 1
    assert text.count("shown above") == 1


def test_a_strangers_reference_is_a_link_only_if_it_is_one():
    one = BAD.findings[0]
    bad = replace(one, cause=replace(one.cause, reference="javascript:alert(1)"))
    good = replace(one, cause=replace(one.cause, reference="https://example.org/a?b='c'"))
    links = [[a["href"] for a in page(replace(BAD, findings=(f,))).all("a")] for f in (bad, good)]

    assert not [link for link in links[0] if not link.startswith("#")]
    assert "https://example.org/a?b='c'" in links[1]


def test_the_templates_are_in_the_package():
    folder = Path(__file__).parent.parent / "repaudit" / "reporters" / "templates"

    wanted = {
        "report.html",
        "report.css",
        "sign-off.html",
        "reproduce.sh",
        "gate.html",
        "head.html",
    }
    assert {path.name for path in folder.iterdir()} == wanted


def test_two_images_are_both_named():
    report = Report(verdict=Verdict.REPRODUCIBLE, subject=Subject(left="a:1", right="b:2"))

    for name in ("markdown", "html", "junit"):
        assert {"a:1", "b:2"} <= set(re.findall(r"[ab]:\d", render(name, report).decode()))


# Two images, of which no line is known.

PEOPLES = ["text", "markdown", "html", "junit", "codequality"]
HEX = "sha256:" + "a" * 64, "sha256:" + "b" * 64


def compared(*differences: Difference) -> Report:
    """Return the report of two images that differ so."""
    return Report(
        verdict=Verdict.UNREPRODUCIBLE,
        subject=Subject(left="l", right="r"),
        findings=attribute(differences, {}, Scene()),
    )


def lacking(layer: int | None, platform: str | None = None, *, left: bool) -> Difference:
    sides = ("present", None) if left else (None, "present")
    return Difference(
        layer=layer,
        path="srv/b",
        aspect=Aspect.PRESENCE,
        left=sides[0],
        right=sides[1],
        platform=platform,
    )


def words_of(name: str, report: Report) -> str:
    """Return what a person reads, in one line."""
    text = render(name, report).decode()
    return " ".join(html.unescape(re.sub(r"<[^>]*>", "", text)).split())


@pytest.mark.parametrize("name", PEOPLES)
def test_layers_are_named_where_several_differ_and_only_there(name: str):
    apart = words_of(name, compared(lacking(0, left=True), lacking(1, left=False)))
    alone = words_of(name, compared(lacking(1, left=False)))

    assert "layer 0: srv/b" in apart
    assert "layer 1: srv/b" in apart
    assert "srv/b" in alone
    assert "layer 1: srv/b" not in alone


@pytest.mark.parametrize("name", [*PEOPLES, "json"])
def test_each_platform_is_named_and_counted(name: str):
    report = compared(*(lacking(0, f"linux/{arch}", left=True) for arch in ("amd64", "arm64")))
    shown = words_of(name, report)

    assert len(report.findings) == 2
    assert "linux/amd64" in shown
    assert "linux/arm64" in shown
    assert "linux/" not in words_of(name, compared(lacking(0, left=True)))
    if name in {"text", "markdown", "html"}:
        assert "2 findings (2 unexplained), 2 differences." in shown


@pytest.mark.parametrize("name", PEOPLES)
@pytest.mark.parametrize(
    ("layer", "sides", "said"),
    [
        (0, HEX, "the same entries, written otherwise (tar format, padding): sha256:"),
        (None, HEX, "the same documents, written otherwise (white space, key order): sha256:"),
        (0, [f"application/x {side}" for side in HEX], "application/x sha256:"),
    ],
)
def test_what_is_only_written_otherwise_is_told_in_words(name, layer, sides, said):
    other = Difference(
        layer=layer, path="", aspect=Aspect.COMPRESSION, left=sides[0], right=sides[1]
    )
    shown = words_of(name, compared(other))

    assert said in shown
    assert ("written otherwise" in shown) == ("written otherwise" in said)
    assert (
        json.loads(render("json", compared(other)))["findings"][0]["differences"][0]["aspect"]
        == "compression"
    )


@pytest.mark.parametrize("name", PEOPLES)
def test_what_one_index_lists_more_is_called_what_it_is(name: str):
    listed = Difference(
        layer=None,
        path="/index/manifests/1",
        aspect=Aspect.PRESENCE,
        left=None,
        right="attestation of linux/amd64 sha256:1",
    )

    assert "only on the right: attestation of linux/amd64 sha256:1" in words_of(
        name, compared(listed)
    )
