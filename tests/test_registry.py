"""The tenants' file as it is read: all faults at once with their places, or a whole registry."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
import yaml

from kataven_flask.assets import example_config
from kataven_flask.demo import run as demo
from kataven_flask.document.faults import FaultyDocumentError
from kataven_flask.errors import ConfigurationError
from kataven_flask.keys import hash_secret_key
from kataven_flask.origins import Origin
from kataven_flask.registry import Registry, load_registry
from tests.support import (
    AUDIENCE,
    ISSUER,
    KEY,
    OTHER_KEY,
    OTHER_SECRET,
    PINNED_KEY,
    PINNED_SECRET,
    SECRET,
    acme,
    document,
    key,
    other,
)

SMALL = dedent(
    """\
    version: 1
    tenants:
      acme:
        name: Acme
        agents:
          support: {display_name: Support}
    """
)
"""A document without a fault, to which a test adds one; its next line is the seventh."""

TEST_KEY = "pk_test_acme_" + "T" * 22


class Files:
    """The tenants' file of a test, or a folder of such files.

    Args:
        folder: Where they are written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "tenants.yaml"

    def load(self, content: str | bytes | dict[str, Any]) -> Registry:
        """Write one file and read it."""
        self.write("tenants.yaml", content)
        return load_registry(self.file)

    def write(self, name: str, content: str | bytes | dict[str, Any]) -> None:
        """Write a file."""
        if isinstance(content, dict):
            content = yaml.safe_dump(content, sort_keys=False)
        raw = content if isinstance(content, bytes) else content.encode()
        (self.folder / name).write_bytes(raw)

    def faults(self, content: str | bytes | dict[str, Any]) -> list[str]:
        """Write one file, and return the faults that an operator reads, one a line."""
        with pytest.raises(FaultyDocumentError) as refusal:
            self.load(content)
        return self.lines(refusal.value)

    def faults_of_folder(self) -> list[str]:
        """Read all files as one document, and return the faults."""
        with pytest.raises(FaultyDocumentError) as refusal:
            load_registry(self.folder)
        return self.lines(refusal.value)

    def lines(self, error: FaultyDocumentError) -> list[str]:
        """Return an error's lines, without the folder."""
        return str(error).replace(f"{self.folder}/", "").splitlines()


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """Return a folder to write files in."""
    return Files(tmp_path)


@pytest.fixture(scope="module")
def shipped() -> Registry:
    """Return the registry of the shipped example."""
    return load_registry(example_config())


class TestLookUps:
    """What a sound file gives."""

    def test_all_of_it(self, files: Files) -> None:
        """A sound file gives its tenants, its keys and its secrets."""
        registry = files.load(document())
        assert (registry.issuer, registry.audience) == (ISSUER, AUDIENCE)
        assert list(registry.tenants) == ["acme", "other"]
        assert set(registry.keys) == {KEY, PINNED_KEY, OTHER_KEY}
        assert set(registry.secrets) == set(
            map(hash_secret_key, (SECRET, PINNED_SECRET, OTHER_SECRET))
        )

    def test_a_key_finds_its_tenant(self, files: Files) -> None:
        """A client key leads to its tenant and to all that is in force for it."""
        record = files.load(document()).keys[OTHER_KEY]
        assert (record.tenant_id, record.tenant.name) == ("other", "Other Ltd.")
        assert record.key.client_key == OTHER_KEY
        assert [entry.text for entry in record.key.domain_allowlist] == ["https://acme.com"]

    def test_a_secret_finds_its_key(self, files: Files) -> None:
        """A secret key's hash leads to its client key."""
        record, secret = files.load(document()).secrets[hash_secret_key(PINNED_SECRET)]
        assert record.key.client_key == PINNED_KEY
        assert secret.not_after is None

    def test_two_secrets_find_one_key(self, files: Files) -> None:
        """While a secret key is rotated, the old and the new one both lead to the client key."""
        content = document()
        newer = {"hash": hash_secret_key("newer")}
        content["tenants"]["other"]["keys"][0]["secrets"].append(newer)
        secrets = files.load(content).secrets
        assert secrets[newer["hash"]][0] is secrets[hash_secret_key(OTHER_SECRET)][0]

    def test_no_tenants_are_no_fault(self, files: Files) -> None:
        """A file without tenants is sound: it admits nobody."""
        assert not files.load("version: 1\ntenants: {}\n").keys

    def test_nothing_changes_it(self, files: Files) -> None:
        """The registry in force can't be changed by a request."""
        registry = files.load(document())
        with pytest.raises(TypeError):
            registry.keys["evil"] = registry.keys[KEY]  # type: ignore[index]
        with pytest.raises(TypeError):
            registry.secrets["evil"] = registry.secrets[hash_secret_key(SECRET)]  # type: ignore[index]

    def test_revision(self, files: Files) -> None:
        """The revision is of the content: the same file has the same one, an edited one another."""
        first = files.load(document()).revision
        assert files.load(document()).revision == first
        assert files.load(document(audience="other")).revision != first

    @pytest.mark.parametrize(
        "encode",
        [
            lambda text: text.encode(),
            lambda text: text.encode("utf-8-sig"),
            lambda text: text.replace("\n", "\r\n").encode(),
            lambda text: f"---\n{text}...\n".encode(),
            lambda text: f"# a comment\n\n{text}".encode(),
        ],
        ids=["plain", "byte order mark", "CRLF", "document markers", "comment"],
    )
    def test_however_it_was_saved(self, files: Files, encode: Callable[[str], bytes]) -> None:
        """A file is read however an editor saved it."""
        assert "acme" in files.load(encode(SMALL)).tenants

    @pytest.mark.parametrize(
        ("written", "year"),
        [("2026-12-24T00:00:00Z", 2026), ("2026-12-24 02:00:00 +02:00", 2026)],
    )
    def test_times(self, files: Files, written: str, year: int) -> None:
        """A time with its zone is read as YAML writes it, unquoted."""
        text = SMALL + f"    keys: [{{name: k, client_key: {KEY}, domain_allowlist: [], X}}]\n"
        read = files.load(text.replace("X", f"not_after: {written}")).keys[KEY].key.not_after
        assert read is not None
        assert (read.year, read.utctimetuple().tm_hour) == (year, 0)


class TestOverrides:
    """A tenant's tokens and limits over the document's."""

    def test_of_tokens(self, files: Files) -> None:
        """A tenant's lifetime wins over the document's; what it doesn't write stays."""
        content = document(tokens={"session_ttl": "4m", "visitor_ttl": "2m"})
        content["tenants"]["acme"]["tokens"] = {"session_ttl": "7m"}
        keys = files.load(content).keys
        assert keys[KEY].tokens.session_ttl == 7 * 60
        assert keys[KEY].tokens.visitor_ttl == 2 * 60
        assert keys[KEY].tokens.refresh_grace == 30
        assert keys[OTHER_KEY].tokens.session_ttl == 4 * 60

    def test_back_to_the_default(self, files: Files) -> None:
        """A tenant may write the very default, and it wins over the document's other one."""
        content = document(tokens={"session_ttl": "4m"})
        content["tenants"]["acme"]["tokens"] = {"session_ttl": "10m"}
        assert files.load(content).keys[KEY].tokens.session_ttl == 10 * 60

    def test_of_limits(self, files: Files) -> None:
        """A tenant's limit wins over the document's; null lifts it."""
        content = document(limits={"guest_per_minute": 7, "config_per_minute": 8})
        content["tenants"]["acme"]["limits"] = {"guest_per_minute": None}
        keys = files.load(content).keys
        assert keys[KEY].limits.guest_per_minute is None
        assert keys[KEY].limits.config_per_minute == 8
        assert keys[OTHER_KEY].limits.guest_per_minute == 7

    def test_null_for_all(self, files: Files) -> None:
        """A limit of null for all can be set for one tenant."""
        content = document(limits={"guest_per_minute": None})
        content["tenants"]["acme"]["limits"] = {"guest_per_minute": 5}
        keys = files.load(content).keys
        assert (
            keys[KEY].limits.guest_per_minute,
            keys[OTHER_KEY].limits.guest_per_minute,
        ) == (5, None)

    def test_are_held_in_range(self, files: Files) -> None:
        """A tenant's lifetime is held in the same range, and the fault stands at it."""
        (fault,) = files.faults(SMALL + "    tokens: {session_ttl: 16m}\n")
        assert fault == "tenants.yaml:7:14: tenants.acme.tokens.session_ttl: must be from 1m to 15m"


ALL_AT_ONCE = f"""\
version: 1
audiense: x
tokens: {{session_ttl: 1h}}
tenants:
  acme:
    name: No
    default_agent: nobody
    branding: {{primary_color: red}}
    agents:
      support: {{display_name: Support, auth_mode: all}}
    keys:
      - name: one
        client_key: {KEY}
        domain_allowlist: [https://acme.com/shop, "*.com"]
        agent_id: nobody
      - name: two
        client_key: {KEY}
        domain_allowlist: []
        enabled: false
        enabled: true
  Other:
    agents: {{}}
"""
FAULTS = [
    ("2:1", "audiense", "unknown member"),
    ("3:10", "tokens.session_ttl", "must be from 1m to 15m"),
    ("6:5", "tenants.acme.name", "put it in quotes"),
    ("7:5", "tenants.acme.default_agent", "no agent 'nobody' here; this tenant has: support"),
    ("8:16", "tenants.acme.branding.primary_color", "not a color"),
    ("10:40", "tenants.acme.agents.support.auth_mode", "must be 'guest', 'user' or 'both'"),
    ("14:28", "tenants.acme.keys[0].domain_allowlist[0]", "write https://acme.com"),
    ("14:51", "tenants.acme.keys[0].domain_allowlist[1]", "public suffix"),
    ("15:9", "tenants.acme.keys[0].agent_id", "no agent 'nobody' here"),
    (
        "17:9",
        "tenants.acme.keys[1].client_key",
        "stands already at tenants.acme.keys[0].client_key",
    ),
    ("20:9", "tenants.acme.keys[1].enabled", "stands twice"),
    ("21:3", "tenants.Other", "not a tenant id"),
    ("21:3", "tenants.Other.name", "missing"),
    ("22:5", "tenants.Other.agents", "at least 1"),
]


class TestFaults:
    """What an operator reads about a file that can't be used."""

    def test_all_at_once(self, files: Files) -> None:
        """Every fault is told at once, in the order of the file, with line, column and path."""
        lines = files.faults(ALL_AT_ONCE)
        assert len(lines) == len(FAULTS), "\n".join(lines)
        for line, (place, path, words) in zip(lines, FAULTS, strict=True):
            assert line.startswith(f"tenants.yaml:{place}: {path}: ")
            assert words in line

    @pytest.mark.parametrize(
        ("line", "fault"),
        [
            ("version: 1", "7:1: version: stands twice, first on line 1; keep one"),
            ("    name: Acme", "7:5: tenants.acme.name: stands twice, first on line 4; keep one"),
            ("  acme: {}", "7:3: tenants.acme: stands twice, first on line 3; keep one"),
            ("    kyes: []", "7:5: tenants.acme.kyes: unknown member"),
            (
                "    tokens: {sesion_ttl: 5m}",
                "7:14: tenants.acme.tokens.sesion_ttl: unknown member",
            ),
            ("on: 1", '7:1: on: not text; write "on" in quotes'),
            ("12: 1", '7:1: 12: not text; write "12" in quotes'),
            ("null: 1", '7:1: null: not text; write "null" in quotes'),
            ("~: 1", '7:1: ~: not text; write "~" in quotes'),
            ("audience: 7", "7:1: audience: must be text; put it in quotes"),
            ("audience: yes", "7:1: audience: must be text; put it in quotes"),
            ("audience: 2026-01-01", "7:1: audience: must be text; put it in quotes"),
            ("audience: ''", "7:1: audience: is empty"),
            ("audience: [a]", "7:1: audience: must be text, not a list"),
            ("issuer: http://a.com", "7:1: issuer: not an https:// URL"),
            ("tokens:", "7:1: tokens: must be a mapping"),
            ("tokens: []", "7:1: tokens: must be a mapping"),
            ("limits: 60", "7:1: limits: must be a mapping"),
            ("    keys: {}", "7:5: tenants.acme.keys: must be a list"),
            ("    keys: [k]", "7:12: tenants.acme.keys[0]: must be a mapping"),
            ("    agents: []", "7:5: tenants.acme.agents: stands twice"),
            ("limits: {<<: {guest_per_minute: 1}}", "7:10: limits.<<: merge keys (<<) aren't read"),
            ("    default_agent: sales", "7:5: tenants.acme.default_agent: no agent 'sales' here"),
            ("audience: !!python/name:os.system x", "7:11: audience: can't be read"),
            ("audience: !env SECRET", "7:11: audience: can't be read"),
            ("tokens: {session_ttl: 2026-13-45}", "7:23: tokens.session_ttl: can't be read"),
            (f"tokens: {{session_ttl: {'9' * 5000}}}", "7:23: tokens.session_ttl: can't be read"),
        ],
        ids=lambda value: value[:32] if ":" in value and "tenants.yaml" not in value else None,
    )
    def test_a_fault(self, files: Files, line: str, fault: str) -> None:
        """A fault is told with its line, its column, its path and what to do."""
        lines = files.faults(SMALL + line + "\n")
        assert any(told.startswith(f"tenants.yaml:{fault}") for told in lines), "\n".join(lines)

    @pytest.mark.parametrize(
        "text",
        ["a: &x 1\nb: *x\n", "limits: &x {a: 1}\ntokens: *x\n", "tenants: &x\n  acme: *x\n"],
        ids=["scalar", "mapping", "itself"],
    )
    def test_aliases(self, files: Files, text: str) -> None:
        """An alias is a fault at its place: what it stands for would be taken unseen."""
        assert any("aliases (*name) aren't read" in line for line in files.faults(text))

    def test_a_billion_laughs(self, files: Files) -> None:
        """Aliases of aliases of aliases are refused before they grow."""
        rows = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30))
        assert files.faults("a0: &a0 lol\n" + rows)

    def test_an_anchor_alone(self, files: Files) -> None:
        """An anchor that nothing refers to is harmless."""
        assert files.load(SMALL + "audience: &here x\n").audience == "x"

    @pytest.mark.parametrize(
        ("content", "told"),
        [
            (b"", "must be a mapping that begins with `version: 1`"),
            (b"# nothing\n", "must be a mapping"),
            (b"- version: 1\n", "must be a mapping"),
            (b"version 1\n", "must be a mapping"),
            (b"version: 1\n\ttenants: {}\n", "tenants.yaml:2:1: not YAML"),
            (b"version: 1\ntenants: {acme: [}\n", "tenants.yaml:2:18: not YAML"),
            (b'version: 1\nissuer: "https://\n', "not YAML"),
            (b"version: 1\n---\nversion: 1\n", "tenants.yaml:2:1: not YAML"),
            (b"version: 1\ntenants: *nobody\n", "tenants.yaml:2:10: not YAML"),
            (b"domain_allowlist: [*.acme.com]\n", "tenants.yaml:1:"),
            (b"version: 1\nissuer: m\xfc\n", "not YAML in UTF-8"),
            (b"version: 1\x00\n", "not YAML in UTF-8"),
            (b"\x1f\x8b\x08\x00binary", "not YAML in UTF-8"),
            (b"\xff\xfev", "not YAML in UTF-8: what stands here can't be read"),
        ],
        ids=[
            "empty",
            "comment",
            "list",
            "text",
            "tab",
            "bracket",
            "open quote",
            "two documents",
            "unknown alias",
            "wildcard without quotes",
            "Latin-1",
            "NUL",
            "binary",
            "half of UTF-16",
        ],
    )
    def test_what_is_no_document(self, files: Files, content: bytes, told: str) -> None:
        """A file that isn't a YAML mapping is refused with the place, where there is one."""
        assert told in "\n".join(files.faults(content))

    @pytest.mark.parametrize(
        "value",
        ["!!int ''", "!!bool maybe", "!!timestamp noon", "!!float x", "!!null x", "!!int x"],
    )
    def test_a_tag_that_does_not_fit(self, files: Files, value: str) -> None:
        """A value that isn't of the type it claims is a fault, or read: never a traceback."""
        lines = files.faults(SMALL + f"audience: {value}\n")
        assert any(line.startswith("tenants.yaml:7:") for line in lines)

    @pytest.mark.parametrize("depth", [100, 900, 5000])
    @pytest.mark.parametrize("pair", ["[]", "{}"], ids=["lists", "mappings"])
    def test_nested_too_deep(self, files: Files, pair: str, depth: int) -> None:
        """A value nested beyond all reason is a fault, never a traceback."""
        step = pair[0] + ("a: " if pair == "{}" else "")
        assert files.faults(SMALL + "x: " + step * depth + pair[1] * depth + "\n")

    def test_a_name_that_is_a_list(self, files: Files) -> None:
        """A member's name that isn't text is a fault with its line."""
        (fault,) = files.faults(SMALL + "? [a]\n: 1\n")
        assert fault == "tenants.yaml:7:3: a member's name must be text; write it as `name: value`"

    def test_a_fault_is_told_once(self, files: Files) -> None:
        """A member with one thing wrong has one line."""
        assert len(files.faults(SMALL + "audience: 7\n")) == 1

    @pytest.mark.parametrize(
        ("value", "but"),
        [("[]", "not a list"), ("", "but is empty"), ("x", "not text")],
        ids=["list", "null", "text"],
    )
    def test_tenants_of_another_type(self, files: Files, value: str, but: str) -> None:
        """Tenants that aren't a mapping are refused in the words used everywhere else."""
        (fault,) = files.faults(f"version: 1\ntenants: {value}\n")
        assert fault.startswith(f"tenants.yaml:2:1: tenants: must be a mapping, {but}; write")

    @pytest.mark.parametrize("version", ["2", "'1'", "true", "1.0", "one", ""], ids=repr)
    def test_another_version(self, files: Files, version: str) -> None:
        """A version that isn't the number 1 is refused."""
        assert "version: must be 1" in files.faults(f"version: {version}\ntenants: {{}}\n")[0]

    def test_secrets_are_not_repeated(self, files: Files) -> None:
        """A secret key that was written in the place of its hash isn't repeated to a log."""
        content = document()
        content["tenants"]["acme"]["keys"][0]["secrets"] = [{"hash": SECRET}]
        (fault,) = files.faults(content)
        assert "secrets[0].hash" in fault
        assert SECRET not in fault


class TestAcrossTheDocument:
    """What only two places together show."""

    def test_a_client_key_twice(self, files: Files) -> None:
        """A client key that two keys of a tenant have is refused at the second."""
        content = document()
        content["tenants"]["acme"]["keys"][1]["client_key"] = KEY
        (fault,) = files.faults(content)
        assert "tenants.acme.keys[1].client_key: stands already at" in fault

    def test_a_client_key_of_two_tenants(self, files: Files) -> None:
        """A client key that two tenants have is refused: it can't belong to both."""
        content = document()
        content["tenants"]["other"]["keys"][0]["client_key"] = KEY
        told = "\n".join(files.faults(content))
        assert "tenants.other.keys[0].client_key: stands already at tenants.acme.keys[0]" in told
        assert "belongs to tenant 'acme' by its name; make one for 'other'" in told

    def test_a_secret_twice(self, files: Files) -> None:
        """A secret key that stands at two client keys is refused: it must say which one it is."""
        content = document()
        content["tenants"]["other"]["keys"][0]["secrets"] = [{"hash": hash_secret_key(SECRET)}]
        (fault,) = files.faults(content)
        assert "tenants.other.keys[0].secrets[0].hash: stands already at" in fault

    def test_a_secret_twice_at_one_key(self, files: Files) -> None:
        """A secret key can't be its own successor."""
        content = document()
        content["tenants"]["other"]["keys"][0]["secrets"] *= 2
        assert len(files.faults({**content, "tenants": {"other": content["tenants"]["other"]}}))

    def test_a_key_of_another_tenant(self, files: Files) -> None:
        """A client key that names another tenant is refused."""
        content = document()
        content["tenants"]["acme"]["keys"][0]["client_key"] = "pk_live_elsewhere_" + "E" * 22
        (fault,) = files.faults(content)
        assert fault.endswith("belongs to tenant 'elsewhere' by its name; make one for 'acme'")

    @pytest.mark.parametrize("agent", ["nobody", "Support"])
    def test_an_agent_that_is_not_there(self, files: Files, agent: str) -> None:
        """A key pinned to an agent that isn't there is refused with those that are."""
        content = document()
        content["tenants"]["other"]["keys"][0]["agent_id"] = agent
        told = files.faults(content)
        assert any("this tenant has: only" in line for line in told)

    def test_an_agent_of_another_tenant(self, files: Files) -> None:
        """A tenant's default agent is one of its own."""
        content = document()
        content["tenants"]["other"]["default_agent"] = "support"
        (fault,) = files.faults(content)
        assert "tenants.other.default_agent: no agent 'support' here" in fault

    @pytest.mark.parametrize(
        "entry",
        [
            "localhost:*",
            "localhost",
            "*.localhost:*",
            "shop.acme.localhost:*",
            "http://127.0.0.1:8001",
            "http://[::1]:*",
        ],
    )
    def test_a_test_key_on_loopback(self, files: Files, entry: str) -> None:
        """A test key takes entries that this machine alone can serve."""
        content = document()
        content["tenants"]["acme"]["keys"] = [key(TEST_KEY, SECRET, [entry])]
        assert TEST_KEY in files.load(content).keys

    @pytest.mark.parametrize(
        "entry",
        [
            "https://acme.com",
            "*.acme.com",
            "localhost.acme.com",
            "http://192.168.0.2",
            "http://0.0.0.0:8000",
            "chrome-extension://abcdefghijklmnop",
        ],
    )
    def test_a_test_key_elsewhere(self, files: Files, entry: str) -> None:
        """A test key with an entry of another machine is refused at that entry."""
        content = document()
        content["tenants"]["acme"]["keys"] = [key(TEST_KEY, SECRET, ["localhost:*", entry])]
        (fault,) = files.faults(content)
        assert "tenants.acme.keys[0].domain_allowlist[1]: a pk_test_ key takes loopback" in fault

    def test_a_test_key_with_a_faulty_entry(self, files: Files) -> None:
        """An entry that can't be read is told as that, once."""
        content = document()
        content["tenants"]["acme"]["keys"] = [key(TEST_KEY, SECRET, ["localhost:*", "*.com"])]
        (fault,) = files.faults(content)
        assert "domain_allowlist[1]: anybody can have a host under com" in fault

    def test_a_live_key_on_loopback(self, files: Files) -> None:
        """A live key may have loopback entries too."""
        content = document()
        content["tenants"]["acme"]["keys"] = [key(KEY, SECRET, ["localhost:*"])]
        assert KEY in files.load(content).keys


class TestFolder:
    """A folder of files, read as one document."""

    def test_tenants_add_up(self, files: Files) -> None:
        """Tenants of several files are all there; the rest stands in one of them."""
        files.write("a.yaml", {"version": 1, "audience": "x", "tenants": {"acme": acme()}})
        files.write("b.yml", {"tenants": {"other": other()}})
        registry = load_registry(files.folder)
        assert set(registry.keys) == {KEY, PINNED_KEY, OTHER_KEY}
        assert registry.audience == "x"

    def test_a_file_that_is_not_yaml_hides_no_other_fault(self, files: Files) -> None:
        """All files' faults come at once, whatever else is wrong with one of them."""
        files.write("a.yaml", "version: 1\ntenants: [\n")
        files.write("b.yaml", "colour: red\n")
        files.write("c.yaml", "tenants: {\n")
        faults = files.faults_of_folder()
        assert [fault.partition(":")[0] for fault in faults] == ["a.yaml", "b.yaml", "c.yaml"]
        assert "not YAML" in faults[0]
        assert "colour: unknown member" in faults[1]
        assert "not YAML" in faults[2]

    def test_the_same_twice(self, files: Files) -> None:
        """What stands in two files alike, as the version does, is no fault."""
        files.write("a.yaml", {"version": 1, "tenants": {"acme": acme()}})
        files.write("b.yaml", {"version": 1, "tenants": {"other": other()}})
        assert len(load_registry(files.folder).tenants) == 2

    def test_two_values(self, files: Files) -> None:
        """What stands in two files with two values is refused, with the second's place."""
        files.write("a.yaml", {"version": 1, "audience": "x", "tenants": {}})
        files.write("b.yaml", {"audience": "y"})
        (fault,) = files.faults_of_folder()
        assert fault == (
            "b.yaml:1:1: audience: stands in another file of this folder too, a.yaml:2:1; keep one"
            " of them"
        )

    def test_a_tenant_in_two_files(self, files: Files) -> None:
        """A tenant that stands in two files is refused at the second."""
        files.write("a.yaml", {"version": 1, "tenants": {"acme": acme()}})
        files.write("b.yaml", {"tenants": {"acme": acme()}})
        (fault,) = (f for f in files.faults_of_folder() if "in another file" in f)
        assert fault.startswith("b.yaml:2:3: tenants.acme: stands in another file of this folder")

    def test_a_key_in_two_files(self, files: Files) -> None:
        """A client key that stands in two files is refused, with the second's place."""
        files.write("a.yaml", {"version": 1, "tenants": {"acme": acme()}})
        elsewhere = other()
        elsewhere["keys"][0]["client_key"] = KEY
        files.write("b.yaml", {"tenants": {"other": elsewhere}})
        told = "\n".join(files.faults_of_folder())
        assert re.search(r"b\.yaml:\d+:\d+: tenants\.other\.keys\[0\]\.client_key: stands", told)

    def test_faults_of_all_files(self, files: Files) -> None:
        """The faults of all files are told at once, each with its file."""
        files.write("a.yaml", "version: 1\naudience: 7\ntenants: {}\n")
        files.write("b.yaml", "isuer: x\n")
        assert files.faults_of_folder() == [
            "a.yaml:2:1: audience: must be text; put it in quotes",
            "b.yaml:1:1: isuer: unknown member; did you mean issuer?",
        ]

    def test_other_files_are_passed_over(self, files: Files) -> None:
        """Hidden files, an editor's copies and a README are no part of it."""
        files.write("a.yaml", document())
        for name in (".b.yaml", "..data.yaml", "a.yaml~", "a.yaml.bak", "README.md", "#a.yaml#"):
            files.write(name, "not: [a document")
        assert KEY in load_registry(files.folder).keys

    def test_an_empty_folder(self, files: Files) -> None:
        """A folder without files is refused, and named."""
        with pytest.raises(ConfigurationError, match=r"holds no \.yaml file"):
            load_registry(files.folder)

    def test_a_missing_file(self, files: Files) -> None:
        """A file that isn't there is refused, and the option is named."""
        with pytest.raises(ConfigurationError, match="--config"):
            load_registry(files.folder / "nowhere.yaml")

    def test_a_dangling_link(self, files: Files) -> None:
        """A link to nothing is refused as a missing file."""
        files.file.symlink_to(files.folder / "nowhere.yaml")
        with pytest.raises(ConfigurationError, match="no such file"):
            load_registry(files.file)

    def test_a_folder_named_like_a_file(self, files: Files) -> None:
        """A folder where a file should be is one clear line."""
        (files.folder / "a.yaml").mkdir()
        with pytest.raises(ConfigurationError, match="can't be read"):
            load_registry(files.folder)


class TestShippedExample:
    """`config/tenants.yaml`, as it comes."""

    def test_is_sound(self, shipped: Registry) -> None:
        """It loads as it is, with one tenant to copy from and one for the demo."""
        assert {"acme", "demo"} <= set(shipped.tenants)

    def test_the_demos_keys_are_in_it(self, shipped: Registry) -> None:
        """The demo's client key and secret key belong together in it."""
        record, secret = shipped.secrets[hash_secret_key(demo.SECRET_KEY)]
        assert record.key.client_key == demo.CLIENT_KEY
        assert record.tenant_id == "demo"
        assert secret.not_after is None

    def test_the_published_secret_harms_nobody(self, shipped: Registry) -> None:
        """The demo's key, whose secret is public, works on this machine's own hosts alone."""
        allowlist = shipped.keys[demo.CLIENT_KEY].key.domain_allowlist
        assert allowlist
        assert all(entry.is_loopback for entry in allowlist)
        assert demo.CLIENT_KEY.startswith("pk_test_")

    @pytest.mark.parametrize("host", ["shop.acme.localhost:8001", "localhost:8001"])
    def test_the_demos_shop_is_admitted(self, shipped: Registry, host: str) -> None:
        """The demo's shop is admitted on whichever port it is served."""
        origin = Origin.parse(f"http://{host}")
        assert origin is not None
        assert shipped.keys[demo.CLIENT_KEY].key.admits(origin)

    def test_the_demos_stranger_is_not(self, shipped: Registry) -> None:
        """The demo's stranger is refused."""
        origin = Origin.parse("http://stranger.localhost:8002")
        assert origin is not None
        assert not shipped.keys[demo.CLIENT_KEY].key.admits(origin)

    def test_what_there_is_to_copy(self, shipped: Registry) -> None:
        """The other tenant shows live keys, each auth mode, a wildcard and a pinned key."""
        tenant = shipped.tenants["acme"]
        assert {agent.auth_mode for agent in tenant.agents.values()} == {"guest", "user", "both"}
        assert any(not agent.widget_enabled for agent in tenant.agents.values())
        assert all(entry.client_key.startswith("pk_live_") for entry in tenant.keys)
        assert any(entry.agent_id for entry in tenant.keys)
        assert any(p.subdomains for entry in tenant.keys for p in entry.domain_allowlist)

    def test_no_other_secret_is_published(self, shipped: Registry) -> None:
        """The one secret key in the file's text is the demo's."""
        found = re.findall(r"sk_(?:live|test)_\w+", example_config().read_text())
        assert found == [demo.SECRET_KEY]
        assert len(shipped.secrets) > 1
