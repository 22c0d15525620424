"""Who is admitted, held against a slow judge that reads character by character."""

from __future__ import annotations

import string
import time
from dataclasses import dataclass
from typing import Final

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kataven_flask.origins import Origin, OriginPattern, OriginPatternError

LETTERS: Final = frozenset(string.ascii_lowercase)
DIGITS: Final = frozenset(string.digits)
PORTS: Final = {"http": 80, "https": 443}
LOCAL: Final = ("localhost", "127.0.0.1", "127.1.2.3")


# --- the judge: no regular expression, and nothing of the product


@dataclass(frozen=True, slots=True)
class Said:
    """An origin as a header says it: what is no origin has none of these."""

    scheme: str
    host: str
    port: int | None


def judge_label(label: str) -> bool:
    """Tell whether browsers send such a part of a host."""
    inner = LETTERS | DIGITS | {"-", "_"}
    if not 1 <= len(label) <= 63 or label.startswith("-") or label.endswith("-"):
        return False
    return all(c in inner for c in label)


def judge_host(host: str) -> bool:
    """Tell whether it is a host name, or an IPv4 address in the one way that browsers write it."""
    labels = host.split(".")
    if not all(judge_label(label) for label in labels):
        return False
    last = labels[-1]
    is_hex = last.startswith("0x") and all(c in DIGITS | set("abcdef") for c in last[2:])
    if not (is_hex or all(c in DIGITS for c in last)):
        return True
    numbers = [n for n in labels if all(c in DIGITS for c in n) and str(int(n)) == n]
    return len(labels) == len(numbers) == 4 and all(int(n) <= 255 for n in numbers)


def judge_scheme(scheme: str) -> bool:
    """Tell whether it is a scheme (RFC 3986, section 3.1)."""
    allowed = LETTERS | DIGITS | set("+-.")
    return scheme[:1] in LETTERS and all(c in allowed for c in scheme)


def judge_port(port: str) -> bool:
    """Tell whether it is a port."""
    is_number = 1 <= len(port) <= 5 and all(c in DIGITS for c in port)
    return is_number and 1 <= int(port) <= 65535


def judge_origin(text: str) -> Said | None:
    """Read a header, one character after the other."""
    if len(text) > 512 or any(ord(c) > 126 or c <= " " for c in text):
        return None
    scheme, mark, rest = text.lower().partition("://")
    host, colon, port = rest.partition(":")
    if not (mark and judge_scheme(scheme) and judge_host(host)):
        return None
    if not colon:
        return Said(scheme, host, PORTS.get(scheme))
    return Said(scheme, host, int(port)) if judge_port(port) else None


@dataclass(frozen=True, slots=True)
class Entry:
    """An allowlist entry by its parts, as the operator means it.

    Args:
        scheme: As it is written, or nothing.
        wildcard: Whether `*.` stands before the host.
        host: As it is written, perhaps in another script.
        port: A number, `*`, or nothing.
    """

    scheme: str
    wildcard: bool
    host: str
    port: str

    def __str__(self) -> str:
        """Write it as it stands in the file."""
        scheme = self.scheme and f"{self.scheme}://"
        return f"{scheme}{'*.' * self.wildcard}{self.host}{self.port and ':' + self.port}"

    @property
    def ascii_host(self) -> str:
        """The host as a browser sends it, by the codec of Python, which the product doesn't use."""
        return self.host.encode("idna").decode().lower()

    def admits(self, said: Said | None) -> bool:
        """Judge: scheme, then host, then port."""
        if said is None:
            return False
        local = self.host in LOCAL
        schemes = [self.scheme.lower()] if self.scheme else ["https", "http"][: 1 + local]
        if said.scheme not in schemes:
            return False
        ours, theirs = self.ascii_host.split("."), said.host.split(".")
        if self.wildcard:
            if len(theirs) <= len(ours) or theirs[-len(ours) :] != ours:
                return False
        elif theirs != ours:
            return False
        return self.port == "*" or said.port == (int(self.port or 0) or PORTS[said.scheme])


# --- what is drawn: entries, and origins that are nearly theirs

HOSTS: Final = (
    "acme.com", "shop.acme.com", "acme.co.uk", "a-b.acme.io", "x1.example", "münchen.de",
    "shop.münchen.de", "例え.jp", "пример.org", "ACME.com", "a_b.acme.com", *LOCAL,
)  # fmt: skip
entries = st.builds(
    Entry,
    scheme=st.sampled_from(["", "", "https", "http", "HTTPS"]),
    wildcard=st.booleans(),
    host=st.sampled_from(HOSTS),
    port=st.sampled_from(["", "", "*", "443", "80", "8443", "1", "65535"]),
).filter(lambda entry: not (entry.wildcard and entry.host.startswith("127.")))

LOOK_ALIKES: Final = str.maketrans("aceo.", "\u0430\u0441\u0435\u043e\u3002")
"""Letters of Cyrillic, and the full stop of Chinese."""
NOISE: Final = (
    "\\", "\t", "\n", "\r", "\0", " ", "@", "/", "?", "#", "%2e", "%00", ".", ":", ",", "*", "-",
    "[", "]", "|", "^", "\x1b", "\u3002", "\uff0e", "\u200b", "\u00ad", "\ufeff", "\u017f",
    "\u00df", "\u212a",
)  # fmt: skip


def around(host: str) -> st.SearchStrategy[str]:
    """Draw the host itself, hosts under it, and whatever only looks like it."""
    spelled = host.encode("idna").decode()
    fixed = [
        spelled, spelled.upper(), f"www.{spelled}", f"a.b.c.{spelled}", f"_x.{spelled}",
        f"evil{spelled}", f"evil-{spelled}", f"evil_{spelled}", f"-.{spelled}", f".{spelled}",
        f"{spelled}.", f"{spelled}.evil.net", f"{spelled}.", f"{spelled}-evil.net",
        f"{'a' * 63}.{spelled}", f"{'a' * 64}.{spelled}", f"a..{spelled}", f"*.{spelled}",
        f"user@{spelled}", f"{spelled}@evil.net", f"evil.net\\@{spelled}", f"evil.net\\.{spelled}",
        f"evil.net/{spelled}", f"evil.net?{spelled}", f"evil.net#{spelled}",
        f"evil.net%00.{spelled}", f"evil.net;{spelled}", f"evil.net&{spelled}",
        spelled.translate(LOOK_ALIKES), host, host.upper(), spelled[1:], spelled[:-1],
        spelled.replace(".", "-"), spelled.partition(".")[2], f"xn--{spelled}", f"[{spelled}]",
        f"{spelled} https://{spelled}", f"evil.net, https://{spelled}", f"1.2.3.4.{spelled}",
    ]  # fmt: skip
    noisy = st.builds(
        lambda at, put: f"{spelled[:at]}{put}{spelled[at:]}",
        st.integers(0, len(spelled)),
        st.sampled_from(NOISE),
    )
    under = st.text("abc012-_.", min_size=1, max_size=6).map(lambda label: f"{label}.{spelled}")
    return st.one_of(st.just(spelled), st.sampled_from(fixed), noisy, under)


def headers_about(entry: Entry) -> st.SearchStrategy[str]:
    """Draw headers that an entry admits, or nearly does."""
    own = entry.scheme.lower() or "https"
    strange = [own.upper(), "https", "http", "ws", "wss", "httpss", "", "capacitor", "x y"]
    ports = [
        "", f":{entry.port}", ":443", ":80", ":8443", ":0443", ":65536", ":0", ":", ":+443",
        ":443/", ":٤٤٣", ":4 43", ":443@x", ":99999", ":000443", ":1e3",
    ]  # fmt: skip
    fitting = st.just(f":{entry.port}" if entry.port.isdigit() else "")
    return st.builds(
        "{}://{}{}".format,
        st.just(own) | st.just(own) | st.sampled_from(strange),
        around(entry.host),
        fitting | fitting | st.sampled_from(ports),
    )


pairs = entries.flatmap(lambda entry: st.tuples(st.just(entry), headers_about(entry)))


def admitted(entry: Entry, header: str) -> bool:
    """Ask the product."""
    origin = Origin.parse(header)
    return origin is not None and OriginPattern.parse(str(entry)).matches(origin)


ACME: Final = Entry("", wildcard=True, host="acme.com", port="")


@given(pair=pairs)
@example(pair=(ACME, "https://www.acme.com"))
@example(pair=(ACME, "https://evilacme.com"))
@example(pair=(ACME, "https://www.acme.com."))
@example(pair=(ACME, "https://evil.net\\.acme.com"))
@example(
    pair=(Entry("", wildcard=False, host="münchen.de", port="*"), "https://xn--mnchen-3ya.de:1")
)
@settings(deadline=None, max_examples=600)
def test_who_is_admitted_is_what_a_slow_judge_says(pair: tuple[Entry, str]) -> None:
    """An entry admits a header exactly where scheme, host and port are those it names."""
    entry, header = pair
    assert admitted(entry, header) is entry.admits(judge_origin(header))


@given(entry=entries, header=st.text(max_size=60))
@settings(deadline=None, max_examples=150)
def test_any_header_is_judged_alike(entry: Entry, header: str) -> None:
    """Any text at all is read as the judge reads it, and admitted by nobody who didn't name it."""
    for text in (header, f"https://{header}", f"https://{entry.ascii_host}{header}"):
        assert admitted(entry, text) is entry.admits(judge_origin(text))


@given(pair=pairs, path=st.sampled_from(["", "/", "/a?b#c", "?x", "#y", "/\\@evil.net", "/:80@x"]))
@settings(deadline=None, max_examples=200)
def test_a_referer_admits_nothing_that_its_origin_would_not(
    pair: tuple[Entry, str], path: str
) -> None:
    """A page's address counts as its origin, whatever its path; what is odd before it is none."""
    entry, header = pair
    origin = Origin.of_request(None, header + path)
    taken = origin is not None and OriginPattern.parse(str(entry)).matches(origin)
    own = header
    for mark in "/?#":
        own = own[: own.find(mark, own.find("://") + 3) % (len(own) + 1)] if "://" in own else own
    assert taken is entry.admits(judge_origin(own))


@given(data=st.data(), found=st.lists(entries, max_size=5))
@settings(deadline=None, max_examples=150)
def test_a_list_admits_what_one_of_its_entries_does(
    data: st.DataObject, found: list[Entry]
) -> None:
    """An allowlist is no more than its entries; an empty one admits nobody."""
    header = data.draw(headers_about(found[0] if found else ACME))
    patterns = [OriginPattern.parse(str(entry)) for entry in found]
    origin = Origin.parse(header)
    taken = origin is not None and any(each.matches(origin) for each in patterns)
    assert taken is any(entry.admits(judge_origin(header)) for entry in found)


@given(entry=entries, put=st.sampled_from(NOISE), at=st.integers(0, 40))
@settings(deadline=None, max_examples=200)
def test_noise_in_an_entry_admits_nobody_new(entry: Entry, put: str, at: int) -> None:
    """An entry with a strange character is refused, or admits no host but the one it now names."""
    text = str(entry)
    at %= len(text) + 1
    noisy = text[:at] + put + text[at:]
    try:
        pattern = OriginPattern.parse(noisy)
    except OriginPatternError:
        return
    assert not pattern.matches(Origin("https", "evil.net", 443))
    assert not pattern.matches(Origin("https", f"evil{entry.ascii_host}", 443))
    assert pattern.host.isascii()
    assert pattern.host.strip(".") == pattern.host != ""


@pytest.mark.parametrize("length", [500, 5000, 50_000])
@pytest.mark.parametrize(
    "unit", ["a", "a.", "a-", "-", ".", "://", "https://", "[", "1.", "xn--", "%2e", "\\", "@"]
)
def test_no_header_is_slow_to_read(unit: str, length: int) -> None:
    """No header, however long, is read by going back and forth."""
    header = "https://" + unit * (length // len(unit)) + "!"
    began = time.process_time()
    for text in (header, header[8:]):
        assert Origin.of_request(text, None) is None
        assert Origin.of_request(None, text + "\n") is None
    assert time.process_time() - began < 1
