"""Reports as their readers see them: a browser with axe for HTML, GitHub's own rules for SARIF.

    python -m tests.browser [--keep DIR] [REPORT.json …]

needs Chromium, node's npx and the extra `browser`; `make check-reports` installs them. Without a
report it takes made-up ones, hostile and large ones among them. Exits 1 and says what is wrong.
--keep leaves the pages, pictures of them at 400 and 1400 pixels, and a PDF in DIR, to be looked at.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

from repaudit.model.canonical import report_from_json
from repaudit.model.report import Report
from repaudit.reporters import REPORTERS, Surface
from repaudit.reporters._gate import gate_page
from repaudit.reporters._sign_off import sign_off_page
from tests import samples

#: The newest that was looked at; it carries the rules that GitHub's ingestion follows.
MULTITOOL = "@microsoft/sarif-multitool@5.7.0"
WIDTHS = (400, 1400)
#: What the multitool asks for and we have no answer to: a web site, and the revision of the source.
WANTED = {"SARIF2003", "SARIF2005"}


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, add_help=True)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("reports", nargs="*", type=Path)
    chosen = parser.parse_args()
    reports = {path.stem: report_from_json(path.read_bytes()) for path in chosen.reports}
    reports = reports or samples.ALL | {"large": samples.large(24)}  # axe needs a while for more
    with tempfile.TemporaryDirectory(prefix="repaudit-browser-") as name:
        folder = chosen.keep or Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        faults = list(check(reports, folder))
    for fault in faults:
        print(fault, file=sys.stderr)
    print(f"{len(reports)} reports, the gate and a sign-off looked at, {len(faults)} faults")
    return bool(faults)


def check(reports: dict[str, Report], folder: Path) -> Iterator[str]:
    for name, report in reports.items():
        for kind in ("html", "sarif"):
            data = REPORTERS.load(kind).render(report, Surface())
            (folder / f"{name}.{kind}").write_bytes(data)
    pages = {"gate": gate_page(samples.gate()), "sign-off": sign_off_page(samples.sign_off())}
    for name, data in pages.items():
        (folder / f"{name}.html").write_bytes(data)
    yield from sarif_faults(folder, sorted(reports))
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=folder))
    Thread(target=server.serve_forever, daemon=True).start()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
        )
        for name in (*reports, *pages):
            address = f"http://127.0.0.1:{server.server_port}/{name}.html"
            yield from page_faults(browser, address, folder / name)
        browser.close()
    server.shutdown()


def page_faults(browser: Browser, address: str, picture: Path) -> Iterator[str]:
    for scheme in ("light", "dark"):
        for width in WIDTHS:
            # axe is a script of our own, so it needs what the page itself forbids.
            context = browser.new_context(
                color_scheme=scheme, viewport={"width": width, "height": 900}, bypass_csp=True
            )
            page = context.new_page()
            seen: list[str] = []
            page.on("request", lambda request, seen=seen: seen.append(request.url))
            page.goto(address)
            if seen[1:] and seen[1:] != [address.rpartition("/")[0] + "/favicon.ico"]:
                yield f"{address}: asks for {seen[1:]}"
            page.screenshot(path=f"{picture}-{scheme}-{width}.png", full_page=True)
            page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true })")
            yield from (f"{address} {scheme} {width}: {one}" for one in axe_faults(page))
            wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
            if wide > 0:
                yield f"{address} {scheme} {width}: {wide} pixels wider than the window"
            context.close()
    yield from own_policy_faults(browser, address)
    context = browser.new_context()
    page = context.new_page()
    page.goto(address)
    page.pdf(path=f"{picture}.pdf", format="A4", tagged=True, prefer_css_page_size=True)
    context.close()


def axe_faults(page: Page) -> Iterator[str]:
    for violation in Axe().run(page).response["violations"]:
        nodes = "; ".join(node["html"][:160] for node in violation["nodes"][:3])
        yield f"axe {violation['id']} ({len(violation['nodes'])}): {nodes}"


def own_policy_faults(browser: Browser, address: str) -> Iterator[str]:
    """Under its own policy a page has its style, no complaint, and runs nothing."""
    context = browser.new_context()
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("dialog", lambda dialog: (said.append(f"dialog {dialog.message}"), dialog.dismiss()))
    page.goto(address)
    page.wait_for_timeout(200)
    yield from (f"{address}: says {text}" for text in said if "favicon" not in text)
    if page.evaluate("getComputedStyle(document.body).maxWidth") == "none":
        yield f"{address}: has no style under its own policy"
    scripts = page.evaluate("document.querySelectorAll('script, iframe, img, object, link').length")
    if scripts:
        yield f"{address}: {scripts} elements that load or run something"
    context.close()


def sarif_faults(folder: Path, names: list[str]) -> Iterator[str]:
    files = [f"{name}.sarif" for name in names]
    for file in files:
        out = folder / f"{file}.checked"
        # Its starter hands the words to a shell.
        rules = ["--rule-kind", "'Sarif;Ghas'", "--level", "'Error;Warning'"]
        rules += ["--log", "ForceOverwrite"]
        argv = ["npx", "--yes", MULTITOOL, "validate", file, *rules, "--output", str(out)]
        subprocess.run(argv, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        # It exits 0 whatever it finds.
        for result in json.loads(out.read_text("utf-8-sig"))["runs"][0]["results"]:
            if result["ruleId"] not in WANTED:
                yield f"{file}: {result['ruleId']} {result['message']}"


if __name__ == "__main__":
    sys.exit(main())
