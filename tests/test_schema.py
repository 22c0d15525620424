"""The JSON Schema of the tenants' file: what an editor says of a file is what the server does."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from hypothesis import example, given
from hypothesis import strategies as st
from jsonschema import Draft7Validator
from pydantic import ValidationError

from kataven_flask.assets import example_config
from kataven_flask.cli import main
from kataven_flask.document.faults import DocumentPath
from kataven_flask.document.schema import document_schema
from kataven_flask.document.yaml_files import read_document
from kataven_flask.durations import DAY, number_pattern
from kataven_flask.registry import read_registry
from kataven_flask.tenants import Document
from tests.support import KEY, document

COMMITTED = example_config().with_name("tenants.schema.json")
SCHEMA: dict[str, Any] = json.loads(COMMITTED.read_text())
VALIDATOR = Draft7Validator(SCHEMA)

TENANT: DocumentPath = ("tenants", "acme")
AGENT: DocumentPath = (*TENANT, "agents", "support")
KEY_AT: DocumentPath = (*TENANT, "keys", 0)
TOKENS = ("session_ttl", "visitor_ttl", "refresh_ttl", "guest_max_age", "user_max_age")


class EditorsLoader(yaml.SafeLoader):
    """Reads YAML as editors do (YAML 1.2, core schema): a time is text to them."""


EditorsLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith("timestamp")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def as_editor(text: str) -> Any:
    """Read a file as an editor does."""
    return yaml.load(text, EditorsLoader)  # noqa: S506 - it is a SafeLoader


def members(node: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Walk the schema, member by member."""
    yield path, node
    for name, inner in node.get("properties", {}).items():
        yield from members(inner, f"{path}.{name}")
    if isinstance(inner := node.get("additionalProperties"), dict):
        yield from members(inner, f"{path}.*")
    if "items" in node:
        yield from members(node["items"], f"{path}[]")


MEMBERS = dict(members(SCHEMA))


def small() -> dict[str, Any]:
    """Return a small document, to which a test adds a value."""
    secrets = [{"hash": f"sha256:{0:064x}"}]
    key = {"name": "k", "client_key": KEY, "domain_allowlist": [], "secrets": secrets}
    agents = {"support": {"display_name": "Support"}}
    tenant = {"name": "Acme", "agents": agents, "keys": [key]}
    return {"version": 1, "tokens": {}, "limits": {}, "tenants": {"acme": tenant}}


def with_value(path: DocumentPath, value: object) -> str:
    """Write a small file with a value at a place."""
    content: Any = small()
    place = content
    for step in path[:-1]:
        place = place[step] if isinstance(step, int) else place.setdefault(step, {})
    place[path[-1]] = value
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True)


def editor_takes(path: DocumentPath, value: object) -> bool:
    """Tell whether an editor finds nothing to mark."""
    return VALIDATOR.is_valid(as_editor(with_value(path, value)))


def server_takes(path: DocumentPath, value: object) -> bool:
    """Tell whether the server's models take a value, at a place of a small file."""
    loaded = yaml.load(with_value(path, value), yaml.SafeLoader)
    try:
        Document.model_validate(loaded)
    except ValidationError:
        return False
    return True


class TestTheFile:
    """The schema that is shipped, and the command that writes it."""

    def test_is_what_the_command_prints(self) -> None:
        """The schema beside the example is the one of this version."""
        printed = CliRunner().invoke(main, ["schema"])
        assert printed.exit_code == 0
        assert COMMITTED.read_text() == printed.stdout, "run `kataven-flask schema --output …`"

    def test_is_written_to_a_file(self, tmp_path: Path) -> None:
        """`--output` writes it, and prints the line that names it."""
        file = tmp_path / "mine.json"
        result = CliRunner().invoke(main, ["schema", "--output", str(file)])
        assert result.exit_code == 0
        assert file.read_text() == COMMITTED.read_text()
        assert result.stdout == "# yaml-language-server: $schema=./mine.json\n"

    def test_where_it_can_not_be_written(self, tmp_path: Path) -> None:
        """A folder that isn't there is one clear line."""
        file = tmp_path / "nowhere" / "mine.json"
        result = CliRunner().invoke(main, ["schema", "--output", str(file)])
        assert result.exit_code == 1
        assert result.stderr == f"Error: {file}: can't be written (No such file or directory)\n"

    def test_the_example_names_it(self) -> None:
        """An editor that opens the example finds the schema by its first line."""
        first = example_config().read_text().partition("\n")[0]
        named = first.removeprefix("# yaml-language-server: $schema=")
        assert (example_config().parent / named).resolve() == COMMITTED.resolve()

    def test_is_a_schema(self) -> None:
        """It is a JSON Schema of the draft that it names."""
        assert SCHEMA["$schema"] == Draft7Validator.META_SCHEMA["$schema"]
        Draft7Validator.check_schema(SCHEMA)

    def test_takes_the_example(self) -> None:
        """An editor marks nothing in the example."""
        assert not list(VALIDATOR.iter_errors(as_editor(example_config().read_text())))

    def test_takes_a_whole_document(self) -> None:
        """An editor marks nothing in another sound file."""
        assert not list(VALIDATOR.iter_errors(document()))


class TestWhatAnEditorShows:
    """Descriptions, defaults and examples."""

    @pytest.mark.parametrize("path", MEMBERS)
    def test_a_description(self, path: str) -> None:
        """Every member explains itself in whole words on one line."""
        description = MEMBERS[path]["description"]
        assert len(description) > 15
        assert "\n" not in description

    @pytest.mark.parametrize("path", MEMBERS)
    def test_examples_and_defaults_are_taken(self, path: str) -> None:
        """What an editor offers can be left as it stands."""
        member = MEMBERS[path]
        offered = [*member.get("examples", []), *[member[n] for n in ["default"] if n in member]]
        for value in offered:
            assert Draft7Validator(member).is_valid(value), value

    def test_defaults_are_as_a_person_writes_them(self) -> None:
        """A lifetime's default is 10m, not 600, and the words under the cursor say so."""
        defaults = {name: MEMBERS[f".tokens.{name}"]["default"] for name in TOKENS}
        assert [*defaults.values()] == ["10m", "5m", "24h", "24h", "30d"]
        shown = MEMBERS[".tokens.session_ttl"]["description"]
        assert shown.endswith("From 1m to 15m. Default: 10m")

    @pytest.mark.parametrize("name", TOKENS)
    def test_a_tenant_s_default_is_the_document_s(self, name: str) -> None:
        """At a tenant no default is claimed: it is what stands above."""
        assert "default" not in MEMBERS[f".tenants.*.tokens.{name}"]

    def test_a_mistake_is_explained(self) -> None:
        """Where a text has to be of a shape, an editor says which, not the pattern."""
        assert {
            path for path, m in MEMBERS.items() if "pattern" in m and "patternErrorMessage" not in m
        } == set()

    def test_patterns_are_read_by_any_editor(self) -> None:
        """No pattern has what is Python's own."""
        text = COMMITTED.read_text()
        assert not re.search(r"\(\?P|\\\\[AZ]|\(\?[aiLmsux]", text)


CASES: list[tuple[DocumentPath, object, bool]] = [
    (("version",), 1, True),
    (("version",), 2, False),
    (("version",), "1", False),
    (("version",), True, False),
    (("version",), None, False),
    (("isuer",), "https://a.com", False),
    (("issuer",), "https://a.com", True),
    (("issuer",), "http://localhost:8000", True),
    (("issuer",), "http://a.com", False),
    (("issuer",), "https://a.com?b", False),
    (("issuer",), "https://a.com/#", False),
    (("issuer",), None, True),
    (("audience",), "", False),
    (("audience",), "x" * 257, False),
    (("audience",), None, False),
    (("tokens",), None, False),
    (("tokens",), [], False),
    (("tokens", "session_ttl"), "10m", True),
    (("tokens", "session_ttl"), 600, True),
    (("tokens", "session_ttl"), "16m", False),
    (("tokens", "session_ttl"), "10", False),
    (("tokens", "session_ttl"), "010m", True),
    (("tokens", "session_ttl"), "10 m", False),
    (("tokens", "session_ttl"), True, False),
    (("tokens", "session_ttl"), 10.5, False),
    (("tokens", "session_ttl"), None, False),
    (("tokens", "refresh_grace"), "0s", True),
    (("tokens", "refresh_grace"), 0, True),
    (("tokens", "sesion_ttl"), "10m", False),
    (("limits", "guest_per_minute"), 1, True),
    (("limits", "guest_per_minute"), None, True),
    (("limits", "guest_per_minute"), 0, False),
    (("limits", "guest_per_minute"), 10_000_001, False),
    (("limits", "guest_per_minute"), "60", False),
    (("limits", "guest_per_minute"), True, False),
    (("tenants",), [], False),
    (("tenants",), None, False),
    (("tenants",), {}, True),
    (("tenants", "Acme"), small()["tenants"]["acme"], False),
    (("tenants", "acme_inc"), small()["tenants"]["acme"], False),
    (("tenants", "a"), small()["tenants"]["acme"], False),
    ((*TENANT, "name"), "", False),
    ((*TENANT, "name"), 7, False),
    ((*TENANT, "name"), "a\0b", False),
    ((*TENANT, "name"), "Ünïcode 你好", True),
    ((*TENANT, "greeting"), "Hi!", False),
    ((*TENANT, "default_agent"), "support", True),
    ((*TENANT, "default_agent"), "Support", False),
    ((*TENANT, "agents"), {}, False),
    ((*TENANT, "agents", "Sales Team"), {"display_name": "S"}, False),
    ((*TENANT, "agents", "sales"), {}, False),
    ((*TENANT, "agents", "sales"), None, False),
    ((*TENANT, "keys"), {}, False),
    ((*TENANT, "tokens", "session_ttl"), "1m", True),
    ((*TENANT, "tokens", "session_ttl"), "59s", False),
    ((*TENANT, "limits", "guest_per_minute"), None, True),
    ((*TENANT, "branding", "primary_color"), "#fff", True),
    ((*TENANT, "branding", "primary_color"), "red", False),
    ((*TENANT, "branding", "primary_color"), "#ffff", False),
    ((*TENANT, "branding", "logo_url"), "https://a.com/x.svg", True),
    ((*TENANT, "branding", "logo_url"), "HTTPS://a.com", True),
    ((*TENANT, "branding", "logo_url"), "http://a.com/x.svg", False),
    ((*TENANT, "branding", "logo_url"), "/x.svg", False),
    ((*TENANT, "branding", "logo_url"), "javascript:alert(1)", False),
    ((*TENANT, "branding", "logo_url"), None, True),
    ((*TENANT, "branding", "launcher_position"), "tl", True),
    ((*TENANT, "branding", "launcher_position"), "left", False),
    ((*TENANT, "branding", "launcher_label"), "x" * 81, False),
    ((*TENANT, "branding", "privacy_notice"), "x" * 501, False),
    ((*TENANT, "branding", "privacy_notice"), None, True),
    ((*AGENT, "auth_mode"), "guest", True),
    ((*AGENT, "auth_mode"), "gest", False),
    ((*AGENT, "auth_mode"), None, False),
    ((*AGENT, "widget_enabled"), False, True),
    ((*AGENT, "widget_enabled"), "false", False),
    ((*AGENT, "widget_enabled"), 0, False),
    ((*AGENT, "greeting"), "two\nlines", True),
    ((*AGENT, "greting"), "Hi!", False),
    ((*KEY_AT, "client_key"), "pk_live_acme_short", False),
    ((*KEY_AT, "client_key"), "sk_live_acme_" + "s" * 43, False),
    ((*KEY_AT, "domain_allowlist"), None, False),
    ((*KEY_AT, "domain_allowlist"), "https://acme.com", False),
    ((*KEY_AT, "domain_allowlist"), [], True),
    ((*KEY_AT, "domain_allowlist"), ["*.acme.com", "acme.com:*", "localhost:*"], True),
    ((*KEY_AT, "domain_allowlist"), ["http://[::1]:8000", "münchen.de"], True),
    ((*KEY_AT, "domain_allowlist"), ["*"], False),
    ((*KEY_AT, "domain_allowlist"), ["https://acme.com/"], False),
    ((*KEY_AT, "domain_allowlist"), ["https://acme.com/shop"], False),
    ((*KEY_AT, "domain_allowlist"), ["https://a@acme.com"], False),
    ((*KEY_AT, "domain_allowlist"), ["acme.com:http"], False),
    ((*KEY_AT, "domain_allowlist"), ["acme.com."], False),
    ((*KEY_AT, "domain_allowlist"), ["www.*.com"], False),
    ((*KEY_AT, "domain_allowlist"), ["a.com b.com"], False),
    ((*KEY_AT, "domain_allowlist"), ["(www\\.)?acme.com"], False),
    ((*KEY_AT, "domain_allowlist"), [7], False),
    ((*KEY_AT, "secrets"), [], True),
    ((*KEY_AT, "secrets"), [{}], False),
    ((*KEY_AT, "secrets"), [{"hash": f"sha256:{n:064x}"} for n in range(3)], False),
    ((*KEY_AT, "secrets", 0, "hash"), "sha256:" + "A" * 64, False),
    ((*KEY_AT, "secrets", 0, "not_after"), None, True),
    ((*KEY_AT, "agent_id"), None, True),
    ((*KEY_AT, "enabled"), None, False),
    ((*KEY_AT, "not_after"), "2026-12-24T00:00:00Z", True),
    ((*KEY_AT, "not_after"), "2026-12-24T00:00:00+01:00", True),
    ((*KEY_AT, "not_after"), "2026-12-24T00:00:00", False),
    ((*KEY_AT, "not_after"), "2026-12-24", False),
    ((*KEY_AT, "not_after"), "soon", False),
    ((*KEY_AT, "not_after"), 1_790_000_000, False),
]


@pytest.mark.parametrize(
    ("path", "value", "taken"), CASES, ids=[f"{path[-1]}={str(v)[:24]!r}" for path, v, _ in CASES]
)
def test_editor_and_server_agree(path: DocumentPath, value: object, *, taken: bool) -> None:
    """What an editor marks the server refuses, and what it doesn't mark the server takes."""
    assert server_takes(path, value) is taken
    assert editor_takes(path, value) is taken


@pytest.mark.parametrize(
    ("written", "taken"),
    [
        ("2026-12-24T00:00:00Z", True),
        ("'2026-12-24T00:00:00Z'", True),
        ("2026-12-24 02:00:00.5 +02:00", True),
        ("2026-12-24", False),
        ("2026-12-24T00:00:00", False),
    ],
)
def test_times_in_quotes_and_without(tmp_path: Path, written: str, *, taken: bool) -> None:
    """A time is taken as YAML writes it and as text, with its zone alone, by both."""
    text = with_value((*KEY_AT, "not_after"), "HERE").replace("HERE", written)
    file = tmp_path / "tenants.yaml"
    file.write_text(text)
    assert VALIDATOR.is_valid(as_editor(text)) is taken
    try:
        Document.model_validate(read_document(file).content)
    except ValidationError:
        assert not taken
    else:
        assert taken
        assert read_registry(file)[0].keys[KEY].key.not_after


class TestAnyValue:
    """Whatever stands at a member, editor and server say the same where a schema can say it."""

    @given(
        name=st.sampled_from([*TOKENS, "refresh_grace"]),
        value=st.from_regex(r"[0-9]{1,9}[smhd]", fullmatch=True)
        | st.integers(0, 100 * DAY)
        | st.builds("{}{}".format, st.integers(0, 100), st.sampled_from("smhd"))
        | st.text(max_size=12),
    )
    def test_durations(self, name: str, value: object) -> None:
        """Of lifetimes: every one in the range is taken by both, and no other."""
        if isinstance(value, str) and not value.isprintable():
            return  # YAML has no such file
        assert editor_takes(("tokens", name), value) is server_takes(("tokens", name), value)

    @given(low=st.integers(0, 3000), span=st.integers(0, 3000), number=st.integers(0, 7000))
    @example(low=0, span=0, number=0)
    def test_numbers(self, low: int, span: int, number: int) -> None:
        """The pattern of a range matches the numbers in it and no others."""
        matched = re.fullmatch(number_pattern(low, low + span), str(number))
        assert bool(matched) is (low <= number <= low + span)

    @given(
        entry=st.from_regex(
            r"(https?://|capacitor://)?(\*\.)?[a-z0-9.äß_-]{1,12}(:[0-9*]{1,6})?", fullmatch=True
        )
        | st.text(alphabet="ab.*:/@[]-#?{ 1ä", max_size=10)
    )
    def test_what_the_server_admits_no_editor_marks(self, entry: str) -> None:
        """Of allowlist entries: each that the server takes, an editor takes too."""
        path = (*KEY_AT, "domain_allowlist")
        assert editor_takes(path, [entry]) or not server_takes(path, [entry])

    @given(
        url=st.from_regex(
            r"[hH]ttps?://([a-z0-9.-]{1,9}|localhost|127\.0\.0\.1|\[::1\])(:[0-9]{0,5})?[/?#@a]{0,2}",
            fullmatch=True,
        )
    )
    def test_of_web_addresses(self, url: str) -> None:
        """Of web addresses: each that the server takes, an editor takes too."""
        path = (*TENANT, "branding", "logo_url")
        assert editor_takes(path, url) or not server_takes(path, url)


def test_no_reference_is_left() -> None:
    """Every member stands whole at its place: an editor shows it without looking elsewhere."""
    assert "$ref" not in json.dumps(document_schema())
