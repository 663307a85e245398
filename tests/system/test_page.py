"""The report of a run, opened in a real browser: on a phone, in the dark, on paper, and without a network."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.settings.environment import is_true

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.system.conftest import Project

ROOT = Path(__file__).resolve().parents[2]
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
FLAGS += ["--disable-component-update", "--disable-sync"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """The machine's own Chromium."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        if is_true(os.environ.get("CI", "")):
            pytest.fail("CI must have Chromium")
        pytest.skip("needs Chromium: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def report(checkout: Project) -> Path:
    """The page of a run with a clean stage, a failed one and findings, in which everything hostile was said."""
    checkout.write("shop/more.py", "import os\n")
    name = "x" * 200
    checkout.write(
        "tests/unit/test_more.py",
        f"def test_{name}() -> None:\n    assert '<script>document.title = 1</script>' == 2\n",
    )
    checkout.run("pipeline", "lint", "unit", "integration", "--keep-going")
    return checkout.root / "reports/index.html"


def open_page(browser: Any, report: Path, **options: Any) -> tuple[Any, list[str]]:
    """Open the page and record what it asks the network for."""
    page = browser.new_page(**options)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(report.as_uri())
    return page, asked


def test_the_report_in_a_browser(browser: Any, report: Path) -> None:
    """Everything promised is on the page, nothing is loaded, nothing hostile runs; the screenshot is kept."""
    page, asked = open_page(browser, report, viewport={"width": 1200, "height": 900})

    assert page.inner_text("#verdict") == "findings"
    assert page.inner_text("#first-failure strong") in ("First failure: lint", "First failure: unit")
    assert page.locator(".bar").count() == 3
    assert page.locator(".bar.critical").count() >= 1
    assert "F401" in page.inner_text("table >> nth=0")
    assert "tests.unit.test_more" in page.inner_text("main")
    assert page.locator("#coverage").count() == 1
    assert page.title().startswith("shop: findings")
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    page.locator("#stage-integration summary").click()
    assert "1 passed" in page.inner_text("#stage-integration pre")

    target = ROOT / "reports/report.png"
    target.parent.mkdir(exist_ok=True)
    page.screenshot(path=target, full_page=True)
    assert target.stat().st_size > 20_000


@pytest.mark.parametrize("width", [360, 768])
def test_nothing_is_cut_off_on_a_small_screen(browser: Any, report: Path, width: int) -> None:
    """The page never scrolls sideways; a wide table scrolls within itself."""
    page, _ = open_page(browser, report, viewport={"width": width, "height": 800})

    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_dark_and_light(browser: Any, report: Path) -> None:
    """The page follows the system's colours, and text stays readable on both."""
    seen = {}
    for scheme in ("light", "dark"):
        page, _ = open_page(browser, report, color_scheme=scheme)
        seen[scheme] = page.evaluate(
            "['backgroundColor', 'color'].map(name => getComputedStyle(document.body)[name].match(/\\d+/g).slice(0, 3).reduce((a, b) => a + +b, 0))"
        )

    (light_page, light_ink), (dark_page, dark_ink) = seen["light"], seen["dark"]
    assert light_page - light_ink > 500
    assert dark_ink - dark_page > 500


def test_on_paper(browser: Any, report: Path, tmp_path: Path) -> None:
    """Printing gives a document of a few pages."""
    page, _ = open_page(browser, report)

    page.pdf(path=tmp_path / "report.pdf", format="A4")

    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")
