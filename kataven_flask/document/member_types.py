"""What one member of the document may hold, as pydantic checks it and as an editor is told.

Each type says both in one place, so that the JSON Schema of the file can't drift from
what the server takes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BeforeValidator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainSerializer,
    WithJsonSchema,
)
from pydantic_core import CoreSchema, core_schema

from kataven_flask.keys import CLIENT_KEY, SECRET_HASH, TENANT_ID, holds_secret_key
from kataven_flask.origins import Origin, OriginPattern
from kataven_flask.text import has_control_characters

# --- texts of one shape


@dataclass(frozen=True, slots=True)
class Shape:
    """Holds a text to a regular expression.

    Args:
        name: What it is, with its article.
        pattern: The expression.
        hint: What it looks like.
    """

    name: str
    pattern: re.Pattern[str]
    hint: str

    def check(self, text: str) -> str:
        """Return the text, or raise ValueError where it has another shape."""
        _no_secret_key(text)
        if self.pattern.fullmatch(text):
            return text
        message = f"not {self.name}; it looks like {self.hint}"
        raise ValueError(message)

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {
            **handler(schema),
            "description": f"{self.name.capitalize()}: it looks like {self.hint}.",
            "pattern": f"^(?:{_ecma(self.pattern.pattern)})$",
            "patternErrorMessage": f"Not {self.name}; it looks like {self.hint}",
        }


def _ecma(pattern: str) -> str:
    """Write a regular expression as JSON Schema has it (ECMA-262): without Python's names."""
    return re.sub(r"\(\?P<\w+>", "(?:", pattern)


_SEEN: Final = (
    "this is a secret key itself, and now it has been seen: take it out, and if it is in use"
    " end it with `kataven-flask keys rotate <client key> --hours 0`; only a hash, sha256:…,"
    " stands here"
)


def _no_secret_key(text: str) -> str:
    if holds_secret_key(text):
        raise ValueError(_SEEN)
    return text


def _no_control_characters(text: str) -> str:
    if has_control_characters(text, but="\n\t"):
        message = "has control characters; type it anew instead of pasting it"
        raise ValueError(message)
    return text


_NO_CONTROL_CHARACTERS: Final = {
    "pattern": r"^[^\u0000-\u0008\u000b-\u001f\u007f-\u009f]*$",
    "patternErrorMessage": "Has control characters; type it anew instead of pasting it",
}

MAX_LABEL: Final = 80
"""Characters of a name."""
NO_SECRET_KEY: Final = AfterValidator(_no_secret_key)
Text = Annotated[
    str,
    Field(min_length=1, max_length=500, json_schema_extra=dict(_NO_CONTROL_CHARACTERS)),
    AfterValidator(_no_control_characters),
    NO_SECRET_KEY,
]
Label = Annotated[
    str,
    Field(min_length=1, max_length=MAX_LABEL, json_schema_extra=dict(_NO_CONTROL_CHARACTERS)),
    AfterValidator(_no_control_characters),
    NO_SECRET_KEY,
]
Color = Annotated[
    str, Shape("a color", re.compile("#(?:[0-9a-fA-F]{3}){1,2}"), '"#2563eb", in quotes')
]
TenantId = Annotated[str, Shape("a tenant id", TENANT_ID, "acme: a-z, 0-9 and -, 2 to 32 of them")]
AgentId = Annotated[
    str,
    Shape(
        "an agent id",
        re.compile("[a-z0-9][a-z0-9_-]{0,63}"),
        "support: a-z, 0-9, _ and -, to 64 of them",
    ),
]
ClientKeyText = Annotated[
    str, Shape("a client key", CLIENT_KEY, "pk_live_<tenant>_ and 22 to 64 letters and digits")
]
SecretHash = Annotated[
    str, Shape("a hash of a secret key", SECRET_HASH, "sha256: and 64 hex digits in lower case")
]
PerMinute = Annotated[int, Field(ge=1, le=10_000_000)] | None


# --- addresses


class WebUrlError(ValueError):
    """Not a URL that a member takes; what one looks like is for the member to say."""


def _web_url(text: str) -> str:
    url = urlsplit(text)
    origin = Origin.of_url(text)
    plain = url.scheme == "http" and origin is not None and origin.is_loopback
    if origin is None or not (url.scheme == "https" or plain):
        message = "not an https:// URL (http:// only for a loopback host); write it whole"
        raise WebUrlError(message)
    return text


def parse_issuer(text: str) -> str:
    """Read an issuer: an https URL without query and fragment (RFC 8414, section 2).

    Args:
        text: The URL; http is taken for a loopback host.

    Raises:
        ValueError: It isn't one.

    Returns:
        The URL without a slash at its end.
    """
    try:
        url = urlsplit(_web_url(text))
    except WebUrlError as error:
        message = f"{error}, for example https://widget.example.com"
        raise WebUrlError(message) from error
    if url.query or "#" in text:
        message = "an issuer has no query and no fragment; take out what begins with ? or #"
        raise ValueError(message)
    return text.rstrip("/")


_PORT: Final = "(?::[0-9]{1,5})?"
_WEB_URL: Final = (
    rf"^(?:[hH][tT][tT][pP][sS]://(?:[a-zA-Z0-9._-]+|\[[0-9a-fA-F:.]+\]){_PORT}"
    r"|[hH][tT][tT][pP]://(?:(?:[a-zA-Z0-9._-]+\.)?[lL][oO][cC][aA][lL][hH][oO][sS][tT]"
    rf"|127\.[0-9.]+|\[[0-9a-fA-F:.]+\]){_PORT})(?:[/?#]|$)"
)
WebUrl = Annotated[
    str,
    Field(
        max_length=2048,
        json_schema_extra={
            "pattern": _WEB_URL,
            "patternErrorMessage": "Write a whole https:// URL (http:// for a loopback host)",
        },
    ),
    AfterValidator(_web_url),
    NO_SECRET_KEY,
]


# --- allowlist entries


def _origin_pattern(value: object) -> OriginPattern:
    if not isinstance(value, str):
        message = "write an origin as text, for example https://acme.com"
        raise ValueError(message)  # noqa: TRY004 - pydantic collects ValueErrors alone
    _no_secret_key(value)
    return OriginPattern.parse(value)


_HOST: Final = (
    r"(?:\*\.)?[^\u0000- *:/?#@\[\]^$|\\()+{}\u007f]*[^\u0000- *:/?#@\[\]^$|\\()+{}\u007f.]"
)
AllowlistEntry = Annotated[
    OriginPattern,
    BeforeValidator(_origin_pattern),
    PlainSerializer(lambda p: p.text),
    WithJsonSchema(
        {
            "description": "An origin without a path; in quotes where it begins with *.",
            "type": "string",
            "pattern": (
                rf"^(?:[a-zA-Z][a-zA-Z0-9.-]*://)?(?:{_HOST}|\[[0-9a-fA-F:.]+\])"
                r"(?::(?:\*|[0-9]{1,5}))?$"
            ),
            "patternErrorMessage": (
                "Write an origin without a path: https://acme.com, *.acme.com, localhost:*"
            ),
            "examples": ["https://acme.com", "*.acme.com", "localhost:*"],
        }
    ),
]


# --- versions and times


def _version(value: object) -> object:
    if type(value) is not int or value != 1:  # True and 1.0 equal 1
        message = "must be 1, without quotes: version: 1"
        raise ValueError(message)
    return value


NO_TIME: Final = "must be a time with its zone: 2026-12-24T00:00:00Z"
_RFC_3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?"
    r"(?:[Zz]|[-+][0-9]{2}:[0-9]{2})"
)
_YAML_TIME: Final = (
    r"^[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt]|[ \t]+)[0-9]{1,2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]*)?"
    r"[ \t]*(?:Z|[-+][0-9]{1,2}(?::[0-9]{2})?)$"
)


def _time(value: object) -> object:
    """Read a time that stands in quotes too: what writes YAML for templates puts it there."""
    if isinstance(value, str):
        try:
            return datetime.fromisoformat(value.upper()) if _RFC_3339.fullmatch(value) else None
        except ValueError as error:  # there is no 31 February
            raise ValueError(NO_TIME) from error
    return value


def _in_utc(time: datetime) -> datetime:
    try:
        time.astimezone(UTC)
    except OverflowError as error:  # 0001-01-01T00:00:00+01:00
        raise ValueError("lies outside the years 1 to 9999 in UTC; write it with a Z") from error
    return time


Version = Annotated[Literal[1], BeforeValidator(_version)]
Time = Annotated[
    AwareDatetime,
    BeforeValidator(_time),
    AfterValidator(_in_utc),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": _YAML_TIME,
            "patternErrorMessage": "Write a time with its zone: 2026-12-24T00:00:00Z",
            "examples": ["2026-12-24T00:00:00Z"],
        }
    ),
]
