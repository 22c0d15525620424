"""The documentation: built as a site without a warning, whole, and true to what it is made from."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urldefrag

import pytest
import yaml
from click.testing import CliRunner

from docsite.__main__ import DOCS, PAGES
from docsite.configuration import SECTIONS, at
from docsite.options import commands
from docsite.sources import FILES, ROOT
from kataven_flask.cli import main
from kataven_flask.document.schema import document_schema
from kataven_flask.registry import read_registry
from kataven_flask.settings import Settings

VARIABLE: Final = re.compile(r"(?<!\w)(?:KATAVEN_[A-Z_]*[A-Z])\b")
ELSEWHERE: Final = re.compile(r"(?:[a-z]+:)?//|data:text|javascript:", re.IGNORECASE)
LOADED: Final = {
    ("audio", "src"),
    ("embed", "src"),
    ("form", "action"),
    ("iframe", "src"),
    ("image", "href"),
    ("img", "src"),
    ("img", "srcset"),
    ("input", "src"),
    ("link", "href"),
    ("object", "data"),
    ("script", "src"),
    ("source", "src"),
    ("source", "srcset"),
    ("track", "src"),
    ("use", "href"),
    ("video", "poster"),
    ("video", "src"),
}
"""What a browser fetches, or sends to, without being told to by a reader."""
SUFFIXES: Final = {"", ".css", ".html", ".inv", ".js", ".map", ".png", ".svg", ".txt"}
"""Kinds of files in the site; `.buildinfo` has no ending."""
LARGEST_PICTURE: Final = 150_000


class Page(HTMLParser):
    """What a page names: its anchors, its links, and what is loaded with it."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: set[str] = set()
        self.loaded: set[str] = set()
        self.inline: list[str] = []
        self.feed(file.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take note of an element."""
        given = {name: value or "" for name, value in attrs}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.links.add(given["href"])
        self.loaded |= {value for name, value in given.items() if (tag, name) in LOADED}
        if tag == "style" or (tag == "script" and "src" not in given):
            self.inline.append(tag)
        self.inline += [name for name in given if name == "style" or name.startswith("on")]


def build(source: Path, target: Path, builder: str = "html") -> subprocess.CompletedProcess[str]:
    """Build the site as `make docs` does."""
    trees = target.with_name("doctrees")
    options = ["-b", builder, "-W", "-n", "--keep-going", "-q", "-E", "-c", "docsite"]
    return subprocess.run(
        [sys.executable, "-m", "sphinx", *options, "-d", str(trees), ".", str(target)],
        cwd=source,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site once."""
    folder = tmp_path_factory.mktemp("site")
    ran = build(ROOT, folder)
    assert (ran.returncode, ran.stderr) == (0, "")
    return folder


@pytest.fixture(scope="module")
def pages(site: Path) -> Mapping[str, Page]:
    """Return every page by the name of its file."""
    return {file.name: Page(file) for file in site.glob("*.html")}


def test_every_page_is_there(pages: Mapping[str, Page]) -> None:
    """All pages of the list are built, and no page of `docs/` is forgotten in it."""
    assert set(pages) == {f"{page}.html" for page in FILES} | {"search.html"}
    assert {f"docs/{file.name}" for file in DOCS.glob("*.md")} <= set(FILES.values())


def test_every_page_is_reached_from_the_start(pages: Mapping[str, Page]) -> None:
    """A reader gets to every page by links, beginning at the first one."""
    reached: set[str] = set()
    open_ = ["index.html"]
    while open_:
        name = open_.pop()
        reached.add(name)
        links = {urldefrag(link).url for link in pages[name].links}
        open_ += [link for link in links if link in pages and link not in reached]
    assert reached == set(pages) - {"search.html"}


def test_every_link_leads_somewhere(site: Path, pages: Mapping[str, Page]) -> None:
    """Within the site no link is dead, whether to a page, to a place on it or to a file."""
    for name, page in pages.items():
        for link in page.links:
            if ELSEWHERE.match(link) or link.startswith("mailto:"):
                continue
            file, anchor = urldefrag(link)
            target = file or name
            assert (site / unquote(target)).is_file(), f"{name}: {link}"
            assert not anchor or unquote(anchor) in pages[target].anchors, f"{name}: {link}"


def test_a_dead_link_is_told(tmp_path: Path) -> None:
    """A page that isn't there, a heading that isn't, a file that isn't: each stops the build."""
    shutil.copytree(ROOT / "docsite", tmp_path / "docsite")
    (tmp_path / "kataven_flask").symlink_to(ROOT / "kataven_flask")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text("# Start\n")
    (tmp_path / "docs" / "scale.md").write_text(
        "# Many\n\n[a](lost.md) [b](#lost) [c](lost.conf)\n"
    )
    ran = build(tmp_path, tmp_path / "site", "dummy")
    assert ran.returncode == 1
    for link in ("lost.md", "lost", "lost.conf"):
        assert re.search(rf"scale\.md:3: WARNING: .*'{re.escape(link)}'", ran.stderr), ran.stderr


def test_nothing_comes_from_elsewhere(site: Path, pages: Mapping[str, Page]) -> None:
    """To read the site, or to search in it, a browser asks the host that it lies on alone."""
    loaded = {each for page in pages.values() for each in page.loaded}
    for file in site.rglob("*.css"):
        text = file.read_text()
        loaded |= set(re.findall(r"(?:url\(|@import)\s*[\"']?([^\"')\s;]+)", text))
    for file in site.rglob("*.js"):
        text = file.read_text().replace('"http://www.w3.org/2000/svg"', "")
        loaded |= set(re.findall(r"[\"'`]((?:https?:)?//[^\"'`\s]+)", text))
    assert "_static/styles/furo.css" in {urldefrag(each).url.partition("?")[0] for each in loaded}
    assert not [each for each in loaded if ELSEWHERE.match(each)]


def test_only_what_is_public_is_given_away(site: Path, tracked: set[str]) -> None:
    """A file that a page offers is one that git has, and not what lies about in a checkout."""
    public = {(ROOT / name).read_bytes() for name in tracked if (ROOT / name).is_file()}
    offered = [file for file in (site / "_downloads").rglob("*") if file.is_file()]
    assert offered
    assert [file.name for file in offered if file.read_bytes() not in public] == []
    written = [file for file in site.rglob("*") if file.is_file() and file not in offered]
    assert {file.suffix for file in written} <= SUFFIXES
    assert [file.name for file in written if str(ROOT).encode() in file.read_bytes()] == []


def test_nothing_stands_inline(pages: Mapping[str, Page]) -> None:
    """A host may forbid scripts and styles within a page; these have none."""
    assert {name: page.inline for name, page in pages.items() if page.inline} == {}


def test_every_picture_is_described_and_small(site: Path) -> None:
    """A reader who doesn't see a picture is told what is on it; nobody waits for one."""
    for file in [*DOCS.glob("*.md"), *ROOT.glob("*.md")]:
        assert "![](" not in file.read_text(), file.name
    sizes = {file.name: file.stat().st_size for file in (site / "_images").iterdir()}
    assert sizes
    assert [name for name, size in sizes.items() if size >= LARGEST_PICTURE] == []


@pytest.mark.parametrize("name", ["cli.md", "configuration.md", "environment.md"])
def test_what_is_made_is_up_to_date(name: str) -> None:
    """A page that is made from the code says what the code does; else `make reference`."""
    assert len(PAGES) == 3, "name it here, too"
    assert (DOCS / name).read_text() == PAGES[name]()


def variables(*files: Path) -> set[str]:
    """Return the variables of ours that are named in files."""
    return {name for file in files for name in VARIABLE.findall(file.read_text())}


def test_every_variable_is_documented() -> None:
    """The one table has each variable that is read or shown, and none that isn't."""
    page = DOCS / "environment.md"
    table = set(re.findall(r"(?m)^\| `(KATAVEN_\w+)`", page.read_text()))
    options = {option.variable for each in commands() for option in each.options if option.variable}
    code = variables(*(ROOT / "kataven_flask").rglob("*.py"))
    shown = {file for file in DOCS.rglob("*") if file.suffix in {".md", ".conf", ".env", ".sh"}}
    documented = variables(*(shown - {page}))
    assert options | code | documented - {"KATAVEN_SECRET"} <= table
    assert table <= options | code | documented | variables(*(ROOT / "e2e").glob("*.py"))


class Noting(dict[str, str]):
    """An empty environment that notes what it is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: set[str] = set()

    def get(self, name: str, default: Any = None) -> Any:
        """Note a variable."""
        self.asked.add(name)
        return default


def test_what_another_server_takes_is_told() -> None:
    """The settings under another WSGI server are in the first table, and not in that of `serve`."""
    environ = Noting()
    Settings.from_environ(environ)
    asked = {name for name in environ.asked if VARIABLE.match(name)}
    section = (DOCS / "environment.md").read_text().partition("\n## For the other")[0]
    first, second = (set(VARIABLE.findall(part)) for part in section.split("\nThese are for "))
    assert asked <= first
    assert not first & second
    assert "KATAVEN_LISTEN" in second


def members(node: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield each member of the tenants' file: the place of what it belongs to, and its name."""
    for name, inner in node.get("properties", {}).items():
        yield path, name
        yield from members(inner, f"{path}.{name}".lstrip("."))
    for word, inner in (("<id>", node.get("additionalProperties")), ("[]", node.get("items"))):
        if isinstance(inner, dict):
            yield from members(inner, f"{path}.{word}".replace(".[]", "[]"))


def test_every_member_of_the_file_has_its_row() -> None:
    """The reference leaves no member out; what a tenant overrides is explained where it is set."""
    page = (DOCS / "configuration.md").read_text()
    places = {section.path: section.title for section in SECTIONS}
    for place, name in members(document_schema()):
        if place in {"tenants.<id>.tokens", "tenants.<id>.limits"}:
            continue
        section = page.partition(f"\n## {places[place]}\n")[2].partition("\n## ")[0]
        assert f"\n| `{name}` |" in section, f"{place}.{name}"
        assert at(document_schema(), place)["properties"][name]


def block(language: str) -> str:
    """Return the block of the reference that is in a language."""
    page = (DOCS / "configuration.md").read_text()
    return str(re.findall(rf"(?ms)^```{language}\n(.*?)^```", page)[0])


def test_the_smallest_file_is_sound(tmp_path: Path) -> None:
    """What the reference begins with can be served as it stands."""
    file = tmp_path / "tenants.yaml"
    file.write_text(block("yaml"))
    registry, *_ = read_registry(file)
    assert [*registry.tenants] == [*yaml.safe_load(block("yaml"))["tenants"]]


def test_its_faults_are_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The two mistakes that the reference makes in it get the words that it shows."""
    text = block("yaml").replace("display_name:", "display_nam:")
    file = tmp_path / "config" / "tenants.yaml"
    file.parent.mkdir()
    file.write_text(text.replace("[https://acme.com]", '["*.vercel.app"]'))
    monkeypatch.chdir(tmp_path)
    told = CliRunner().invoke(main, ["check"]).output
    shown = block("console").partition("\n")[2]
    assert sorted(told.splitlines()) == sorted(shown.splitlines())
