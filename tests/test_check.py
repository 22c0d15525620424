"""`kataven-flask check`: every fault where it stands and what to write, for people and machines."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kataven_flask.cli import main
from kataven_flask.document.faults import DocumentPath, FaultyDocumentError
from kataven_flask.errors import ConfigurationError
from kataven_flask.registry import load_registry
from kataven_flask.text import printable
from tests.support import KEY, SECRET, document

SMALL = """\
version: 1
tenants:
  acme:
    name: Acme
    agents:
      support:
        display_name: Support
"""
"""A document to which a test adds its eighth line."""
A_KEY = f"{{name: k, client_key: {KEY}, domain_allowlist: []"

Check = Callable[..., Result]


@pytest.fixture
def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Check:
    """Return what writes a file, `tenants.yaml` in the working folder, and checks it."""
    monkeypatch.chdir(tmp_path)

    def run(content: str | dict[str, Any], *options: str, color: bool = False) -> Result:
        if isinstance(content, dict):
            content = yaml.safe_dump(content, sort_keys=False)
        Path("tenants.yaml").write_text(content)
        arguments = ["check", "--config", "tenants.yaml", *options]
        return CliRunner().invoke(main, arguments, color=color)

    return run


def warned() -> dict[str, Any]:
    """Return a sound document that is worth a warning."""
    content = document()
    content["tenants"]["other"]["keys"][0]["domain_allowlist"] = ["http://acme.com"]
    return content


class TestForAPerson:
    """Lines to read and to click on."""

    def test_a_fault(self, check: Check) -> None:
        """A fault is file:line:column: path: what, and what to write instead; the exit is 1."""
        result = check(SMALL + "    keyz: []\n")
        assert result.exit_code == 1
        fault = "tenants.yaml:8:5: tenants.acme.keyz: unknown member; did you mean keys?\n"
        assert (result.stdout, result.stderr) == (fault, "Error: 1 fault in tenants.yaml\n")

    def test_a_warning(self, check: Check) -> None:
        """A warning is marked as one, and the exit is 0."""
        result = check(warned())
        assert result.exit_code == 0
        first, last = result.stdout.splitlines()
        place = "tenants.other.keys[0].domain_allowlist[0]"
        assert re.match(rf"tenants\.yaml:\d+:\d+: warning: {re.escape(place)}: http is", first)
        assert "is sound: 2 tenants, 3 client keys, 1 warning (revision " in last

    def test_strict(self, check: Check) -> None:
        """With --strict a warning is the end of a pipeline; a sound file still is not."""
        strict = check(warned(), "--strict")
        assert strict.exit_code == 1
        assert strict.stderr == "Error: 1 warning in tenants.yaml, and --strict takes none\n"
        assert check(document(), "--strict").exit_code == 0

    def test_quiet(self, check: Check) -> None:
        """With --quiet there are the faults alone, and a sound file says nothing."""
        assert check(document(), "--quiet").output == ""
        assert check(warned(), "--quiet").output == ""
        assert check(SMALL + "    keyz: []\n", "-q").output.count("\n") == 1
        strict = check(warned(), "--quiet", "--strict")
        assert (strict.exit_code, strict.output.count("warning")) == (1, 1)

    def test_color(self, check: Check) -> None:
        """On a terminal the place and the member stand out; elsewhere nothing is added."""
        plain = check(SMALL + "    keyz: []\n").stdout
        colored = check(SMALL + "    keyz: []\n", color=True).stdout
        assert "\x1b" not in plain
        assert "\x1b[1mtenants.yaml:8:5\x1b[0m: \x1b[31mtenants.acme.keyz\x1b[0m: " in colored
        assert re.sub(r"\x1b\[\d+m", "", colored) == plain

    def test_no_color(self, check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
        """NO_COLOR takes the color out, on a terminal too."""
        monkeypatch.setenv("NO_COLOR", "1")
        assert "\x1b" not in check(warned(), color=True).output

    def test_a_file_that_is_not_there(self) -> None:
        """A missing file is one clear line."""
        result = CliRunner().invoke(main, ["check", "--config", "/nowhere/tenants.yaml"])
        assert result.exit_code == 1
        assert result.stderr.startswith("Error: /nowhere/tenants.yaml: no such file; name")

    def test_a_key_s_end(self, check: Check) -> None:
        """A key near its end is told by the clock of this machine."""
        content = document()
        end = datetime.now(UTC) + timedelta(days=3)
        content["tenants"]["acme"]["keys"][0]["not_after"] = end
        assert "keys[0].not_after: ends in 3 d" in check(content).stdout


class TestForAScript:
    """JSON."""

    def test_a_fault(self, check: Check) -> None:
        """All faults are one JSON value, each with its place in parts."""
        result = check(SMALL + "    keyz: []\n", "--format", "json")
        assert (result.exit_code, result.stderr) == (1, "")
        assert json.loads(result.stdout) == {
            "sound": False,
            "revision": None,
            "tenants": None,
            "client_keys": None,
            "findings": [
                {
                    "severity": "error",
                    "file": "tenants.yaml",
                    "line": 8,
                    "column": 5,
                    "path": "tenants.acme.keyz",
                    "message": "unknown member; did you mean keys?",
                }
            ],
        }

    def test_a_warning(self, check: Check) -> None:
        """Warnings are there too, and the exit says that the file can be used."""
        result = check(warned(), "--format", "json")
        assert result.exit_code == 0
        told = json.loads(result.stdout)
        assert (told["sound"], told["tenants"], told["client_keys"]) == (True, 2, 3)
        assert [finding["severity"] for finding in told["findings"]] == ["warning"]

    def test_the_file_as_a_whole(self, check: Check) -> None:
        """What is wrong with the whole file has no line."""
        (finding, *_) = json.loads(check("# nothing\n", "--format", "json").stdout)["findings"]
        assert (finding["line"], finding["column"], finding["path"]) == (None, None, "")


class TestForGitHub:
    """Annotations, as GitHub Actions reads them from a step's output."""

    def test_a_fault(self, check: Check) -> None:
        """A fault is an error at its line."""
        result = check(SMALL + "    keyz: []\n", "--format", "github")
        assert (result.exit_code, result.stderr) == (1, "")
        assert result.stdout == (
            "::error file=tenants.yaml,line=8,col=5,title=tenants.acme.keyz"
            "::unknown member; did you mean keys?\n"
        )

    def test_a_warning(self, check: Check) -> None:
        """A warning is a warning."""
        result = check(warned(), "--format", "github")
        assert result.exit_code == 0
        assert result.stdout.startswith("::warning file=tenants.yaml,line=")

    def test_what_has_to_be_escaped(self, check: Check) -> None:
        """What would end an annotation, or begin another, can't stand in one."""
        result = check(SMALL + '    "a:b,c%\\n::error::x": 1\n', "--format", "github")
        (line,) = result.stdout.splitlines()
        assert "title=tenants.acme.a%3Ab%2Cc%25\\n%3A%3Aerror%3A%3Ax::unknown" in line

    def test_a_path_is_as_from_the_working_folder(self, tmp_path: Path, check: Check) -> None:
        """A file named from the root is told as GitHub knows it: from the checkout's root."""
        check("")
        whole = str(tmp_path / "tenants.yaml")
        result = CliRunner().invoke(main, ["check", "--config", whole, "--format", "github"])
        assert result.stdout.startswith("::error file=tenants.yaml,title=tenants::must be")

    def test_a_path_elsewhere(self, tmp_path: Path, check: Check) -> None:
        """A file outside the working folder keeps its whole path."""
        check("")
        (tmp_path / "sub").mkdir()
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(tmp_path / "sub")
            arguments = ["check", "--config", "../tenants.yaml", "--format", "github"]
            result = CliRunner().invoke(main, arguments)
        assert result.stdout.startswith("::error file=/")


MISTAKES = [
    # a slip, another word, half of a name
    ("    agnets: {}", "unknown member; did you mean agents?"),
    ("    defaultagent: a", "unknown member; did you mean default_agent?"),
    ("    default-agent: a", "unknown member; did you mean default_agent?"),
    ("    Name2: a", "unknown member; did you mean name?"),
    ("    tokens: {ttl: 5m}", "unknown member; here may stand: session_ttl, visitor_ttl"),
    ("    branding: {logo: x}", "unknown member; did you mean logo_url?"),
    ("    branding: {position: br}", "unknown member; did you mean launcher_position?"),
    ("      sales: {name: S}", "unknown member; did you mean display_name?"),
    ("      sales: {display_name: S, enabled: true}", "did you mean widget_enabled?"),
    (f"    keys: [{A_KEY}, origins: []}}]", "unknown member; did you mean domain_allowlist?"),
    (f"    keys: [{A_KEY}, expires: x}}]", "unknown member; did you mean not_after?"),
    ("    colour: red", "unknown member; here may stand: name, default_agent, branding"),
    # the right name in the wrong place
    ("    greeting: Hi!", "move it to tenants.acme.agents.<agent>.greeting"),
    ("    greting: Hi!", "did you mean greeting? It stands at tenants.acme.agents.<agent>.greeti"),
    ("    primary_color: red", "move it to tenants.acme.branding.primary_color"),
    ("    session_ttl: 5m", "move it to tenants.acme.tokens.session_ttl"),
    ("session_ttl: 5m", "move it to tokens.session_ttl"),
    ("    not_after: x", "move it to tenants.acme.keys[…].not_after"),
    ("    hash: x", "move it to tenants.acme.keys[…].secrets[…].hash"),
    ("domain_allowlist: []", "move it to tenants.<tenant>.keys[…].domain_allowlist"),
    ("shop: {name: Shop, agents: {}}", "looks like a tenant: indent it, to stand under tenants"),
    # too deep, or not deep enough
    (
        "      keys: []",
        "acme.agents.keys: check the indentation: indent keys less, to stand under t",
    ),
    ("      tokens: {session_ttl: 5m}", "indent tokens less, to stand under tenants.acme\n"),
    ("      auth_mode: both", "indent auth_mode more, to stand under tenants.acme.agents.<agent>"),
    ("  name: Acme", "tenants.name: check the indentation: indent name more, to stand under tenan"),
    ("      a:", "must be a mapping, but is empty; write its members indented under it, or"),
    # values
    ("    branding:\n      primary_color: #2563eb", 'put the text in quotes: write "#2563eb"'),
    ("    branding:\n      launcher_label: # Hi", "a # behind a space begins a comment"),
    ("    tokens: {session_ttl: 10}", "from 1m to 15m; 10 without a unit is 10 s: write 10m"),
    ("    tokens: {session_ttl: 99999}", "from 1m to 15m; 99999 without a unit is 99999 s\n"),
    ("issuer: acme.com", "write it whole, for example https://widget.example.com"),
    ("      a: {display_name: A, avatar_url: a}", "for example https://acme.com/support.png"),
    ("    name: Anew", "8:5: tenants.acme.name: stands twice, first on line 4; keep one of them"),
    (f"    keys: [{A_KEY}, secrets: [{{hash: {SECRET}}}]}}]", "keys rotate <client key> --hours 0"),
    ("      a: {display_name: A, auth_mode: gest}", "'user' or 'both'; did you mean guest?"),
    ("      a: {display_name: A, auth_mode: Both}", "'user' or 'both'; did you mean both?"),
    ("    default_agent: suport", "this tenant has: support; did you mean support?"),
    (f"    keys: [{A_KEY}, agent_id: Support}}]", "has: support; did you mean support?"),
    ("    branding: {primary_color: red}", 'it looks like "#2563eb", in quotes'),
    ("    branding: {launcher_label: }", "must be text, but is empty"),
    ("      a: {display_name: []}", "must be text, not a list"),
    ("      a: {display_name: 7}", "must be text; put it in quotes"),
    (f"      a: {{display_name: {'x' * 81}}}", "has 81 characters; shorten it to 80"),
    ('      a: {display_name: ""}', "is empty; write its text, or take the member out"),
    ('      a: {display_name: "a\\ab"}', "has control characters; type it anew"),
    ("      a: {display_name: A, widget_enabled: 'no'}", "must be true or false, without quotes"),
    ("      a: {}", "missing; add it, for example display_name: Acme Support"),
    ("limits: {guest_per_minute: 0}", "must be 1 or more, or null for no limit"),
    ("limits: {guest_per_minute: 99999999}", "must be 10000000 or less, or null for no limit"),
    ("limits: {guest_per_minute: 1.5}", "must be a whole number, or null for no limit"),
    ("tokens: {session_ttl: 1.5}", "write a number and s, m, h or d, for example 10m"),
    ("tokens: {session_ttl: }", "write a number and s, m, h or d, for example 10m"),
    ("tokens: 10m", "must be a mapping, not text; write its members under it"),
    ("    keys: {}", "must be a list, not a mapping; begin each entry with `- `"),
    (f"    keys: [{A_KEY}, not_after: 2026-12-24}}]", "2026-12-24T00:00:00Z is midnight in UTC"),
    (f"    keys: [{A_KEY}, not_after: 2026-12-24 10:00:00}}]", "2026-12-24T10:00:00Z is that"),
    (f"    keys: [{A_KEY}, not_after: soon}}]", "a time with its zone: 2026-12-24T00:00:00Z"),
    (f"    keys: [{A_KEY}, not_after: '2026-02-31T00:00:00Z'}}]", "a time with its zone: 2026-"),
    (f"    keys: [{A_KEY}, secrets: [{{}}, {{}}, {{}}]}}]", "missing; add it"),
]


@pytest.mark.parametrize(
    ("line", "words"), MISTAKES, ids=[line.strip()[:40] for line, _ in MISTAKES]
)
def test_each_mistake_is_told_with_what_to_write(check: Check, line: str, words: str) -> None:
    """Whoever reads a fault at night knows what to write, without the documentation."""
    result = check(f"{SMALL}{line}\n")
    assert words in result.stdout, result.stdout


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("version: 2\ntenants: {}\n", "1:1: version: must be 1, without quotes: version: 1"),
        ("tenants: {}\n", "version: missing; add it, for example version: 1"),
        ("version: 1\n\ttenants: {}\n", "2:1: not YAML: found a tab"),
        ("version: 1\n\ttenants: {}\n", "; indent with spaces"),
        ("tenants:\n\tacme: {}\n", "2:1: not YAML: found a tab here; indent with spaces"),
        ("x:\n  y: 1\n \u00a0 z: 1\n", "3:2: not YAML: U+00A0 (no-break space) in the inden"),
        ("x:\n  \u00a0y: 1\n", "2:3: x: U+00A0 (no-break space) in the indentation; indent"),
        ("x:\u00a0{}\ny: 1\n", "1:3: not YAML: U+00A0 behind a colon looks like a space"),
        ("x:\n    y: 1\n  z: 1\n", "3:3: not YAML: indented by 2, which fits no line above"),
        ("x:\n    y: 1\n  z: 1\n", "; write 0 or 4 spaces"),
        ("tenants:\n  a:\n    name: A\nb:\n    name: B\n  c: {}\n", "4:1: not YAML: b looks like"),
        ("{", "not YAML: did not find expected node content"),
        ("x: [*.acme.com]\n", "text with a * or & at its start goes in quotes"),
        ("x: *nobody\n", "text with a * at its start goes in quotes"),
        ("x: a: b\n", "text with `: ` in it goes in quotes"),
        ("x: @a\n", "text that begins with @, ` or % goes in quotes"),
        ("x:y\nz: 1\n", "a name is followed by `: `"),
        ("x: 1\ny\nz\n", "write a colon and a space after the member's name"),
        ("x: 1\n---\ny: 1\n", "write one document a file, without a second ---"),
        ('x: "a\n', "1:4: not YAML: this quote is never closed; close it"),
        ('x: "\\q"\n', "write \\\\ for a backslash between double quotes"),
        ("x: {a: b\n", "close the bracket before, or write a comma"),
        ("x: 'it's'\n", "check the quotes and the indentation"),
        ("x: 1\ny: \x1b[31m\n", "tenants.yaml:2:4: not YAML in UTF-8: U+001B here can't be read"),
    ],
)
def test_what_is_no_yaml_is_told_with_what_to_write(check: Check, text: str, words: str) -> None:
    """A file that isn't YAML is told where, and what is likely to be wrong."""
    assert words in check(text).stdout


class TestAnOpenQuote:
    """A quote that isn't closed swallows what follows, and the parser stumbles far behind it."""

    @pytest.mark.parametrize("quote", ['"', "'"])
    def test_up_to_the_next_quote(self, check: Check, quote: str) -> None:
        """It is told where it opens, though the parser stops where another text's quote opens."""
        text = SMALL.replace("name: Acme", f"name: {quote}Acme", 1)
        text += f"    keys:\n      - domain_allowlist: [{quote}*.acme.com{quote}]\n"
        (line,) = check(text).stdout.splitlines()
        assert line.startswith("tenants.yaml:4:11: not YAML: the quote that opens here is closed")
        assert "on line 9 only" in line

    def test_up_to_a_color(self, check: Check) -> None:
        """The rest of that line may be a comment then, and the next one is what doesn't fit."""
        text = SMALL.replace("name: Acme", 'name: "Acme', 1)
        text += '    branding:\n      primary_color: "#fff"\n      accent_color: "#fff"\n'
        assert "tenants.yaml:4:11: not YAML: the quote that opens here" in check(text).stdout

    def test_up_to_the_end(self, check: Check) -> None:
        """Where no other quote follows, it is told as never closed."""
        text = SMALL.replace("name: Acme", 'name: "Acme', 1)
        assert "tenants.yaml:4:11: not YAML: this quote is never closed" in check(text).stdout

    def test_that_is_still_yaml(self, check: Check) -> None:
        """What it swallowed is missing by its name: the text that holds it is told."""
        text = SMALL.replace("name: Acme", 'name: "Acme', 1)
        text += '    branding:\n      primary_color: "#fff"\n'
        assert "missing; it stands inside the text of name: close the quo" in check(text).stdout

    def test_a_long_text_is_not_blamed(self, check: Check) -> None:
        """A text in quotes over several lines is no fault, nor blamed for another one."""
        text = SMALL + '        greeting: "Hi,\n          dear visitor"\n    x: a: b\n'
        assert "tenants.yaml:10:9: not YAML: mapping values" in check(text).stdout


def paths(value: object, path: DocumentPath = ()) -> Iterator[DocumentPath]:
    """Yield every place of a document."""
    if path:
        yield path
    if isinstance(value, dict):
        for name in value:
            yield from paths(value[name], (*path, name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from paths(item, (*path, index))


def whole() -> dict[str, Any]:
    """Return a document that has every member that may stand."""
    content = document(tokens={"session_ttl": "10m"}, limits={"guest_per_minute": 60})
    acme = content["tenants"]["acme"]
    acme["branding"] = {"logo_url": "https://acme.com/a", "privacy_notice": "a"}
    acme["agents"]["support"]["greeting"] = "Hi!"
    return content


ANYWHERE = [*paths(whole())]


@pytest.mark.parametrize("form", ["text", "json", "github"])
@pytest.mark.parametrize("path", ANYWHERE, ids=lambda path: ".".join(map(str, path)))
def test_a_pasted_secret_key_is_never_repeated(check: Check, path: DocumentPath, form: str) -> None:
    """A secret key in the place of any value or name is refused, or passed over: never printed."""
    for content in (_with_value(path, SECRET), _with_name(path, SECRET)):
        if content is not None:
            result = check(content, "--format", form)
            assert "sssss" not in result.output
            assert result.exit_code == 1


def _with_value(path: DocumentPath, value: object) -> dict[str, Any]:
    content = whole()
    place: Any = content
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return content


def _with_name(path: DocumentPath, name: str) -> dict[str, Any] | None:
    content = whole()
    place: Any = content
    for step in path[:-1]:
        place = place[step]
    if not isinstance(place, dict):
        return None
    place[name] = place.pop(path[-1])
    return content


ESCAPES = ["\x1b[31m", "\x1b]0;title\x07", "\x9b2J", "\r\n", "\u2028", "\u202e", "\b", "\x7f"]


@pytest.mark.parametrize("escape", ESCAPES, ids=ascii)
@pytest.mark.parametrize("path", [p for p in ANYWHERE if len(p) < 5], ids=str)
def test_nothing_in_a_file_moves_the_terminal(
    check: Check, path: DocumentPath, escape: str
) -> None:
    """What a file holds is shown as text: no color, no title, no line of its own, no bidi."""
    for content in (_with_value(path, f"a{escape}b"), _with_name(path, f"a{escape}b")):
        if content is not None:
            for line in check(content).stdout.split("\n"):
                assert line.isprintable()


def test_a_long_name_is_cut(check: Check) -> None:
    """A name as long as a book doesn't fill the screen."""
    result = check(f"{SMALL}    ? {'x' * 100_000}\n    : 1\n")
    assert "tenants.acme.xxx" in result.stdout
    assert len(result.stdout) < 1000


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=8)
    | st.datetimes()
    | st.dates()
    | st.binary(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=5,
)


@given(path=st.sampled_from(ANYWHERE), value=values)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_value_is_told_in_our_words(tmp_path: Path, path: DocumentPath, value: object) -> None:
    """Whatever stands at a member is taken, or refused in the words of this product."""
    file = tmp_path / "tenants.yaml"
    file.write_text(yaml.safe_dump(_with_value(path, value)))
    try:
        load_registry(file)
    except FaultyDocumentError as error:
        for fault in error.faults:
            assert not re.search(
                r"\b([Ii]nput|should be|should have|instance of)\b", fault.message
            ), fault
            assert "can't be used" not in fault.message
            assert str(fault) == printable(str(fault))
    except ConfigurationError:  # pragma: no cover
        pytest.fail("a file that is there is read")
