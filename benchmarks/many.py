"""Ten thousand tenants, as one file and as a folder with a file each; and edits of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Final

from benchmarks.world import AGENT, ALLOWLIST, AUDIENCE, CLIENT_KEY, ISSUER, TENANT, UNREACHED
from kataven_flask.tenants import RateLimits

MANY: Final = 10_000
KEYS_EACH: Final = 2
_LIMITS: Final = ", ".join(f"{name}: {UNREACHED}" for name in RateLimits.model_fields)
_HEAD: Final = f"""\
version: 1
issuer: {ISSUER}
audience: {AUDIENCE}
limits: {{{_LIMITS}}}
tokens: {{session_ttl: 10m}}
"""
_TENANT: Final = """\
  {tenant}:
    name: Tenant {tenant}
    default_agent: {agent}
    branding: {{primary_color: "#2563eb", logo_url: https://{tenant}.example.com/logo.svg}}
    agents:
      {agent}: {{display_name: Support of {tenant}, greeting: Hello 000000}}
    keys:
{keys}"""
_KEY: Final = """\
      - name: {tenant} site {number}
        client_key: {client_key}
        secrets: [{{hash: "sha256:{digest}"}}]
        domain_allowlist: [{allowlist}]
"""


def ids(number: int) -> Iterator[str]:
    """Yield so many tenants' ids; the one that is asked is the first."""
    yield TENANT
    yield from (f"tenant-{each:05}" for each in range(1, number))


def tenant(tenant_id: str) -> str:
    """Write a tenant with two keys, as a line of `tenants:` and those under it."""
    keys = "".join(_key(tenant_id, number) for number in range(KEYS_EACH))
    return _TENANT.format(tenant=tenant_id, agent=AGENT, keys=keys)


def _key(tenant_id: str, number: int) -> str:
    digest = hashlib.sha256(f"{tenant_id} {number}".encode()).hexdigest()
    site = f"{tenant_id}-{number}.example.com"
    is_asked = (tenant_id, number) == (TENANT, 0)
    return _KEY.format(
        tenant=tenant_id,
        number=number,
        client_key=CLIENT_KEY if is_asked else f"pk_live_{tenant_id}_{digest[:22]}",
        digest=digest,
        allowlist=", ".join(ALLOWLIST if is_asked else (f"https://{site}", f'"*.{site}"')),
    )


@dataclass(frozen=True, slots=True)
class Many:
    """The same tenants, twice.

    Args:
        file: As one file.
        folder: As a folder with a file for each, and one for what holds for all.
    """

    file: Path
    folder: Path


def write_many(where: Path, number: int) -> Many:
    """Write so many tenants into a folder that is made for them."""
    many = Many(where / "tenants.yaml", where / "tenants")
    many.folder.mkdir(parents=True)
    texts = {tenant_id: tenant(tenant_id) for tenant_id in ids(number)}
    many.file.write_text(f"{_HEAD}tenants:\n{''.join(texts.values())}")
    (many.folder / "_all.yaml").write_text(_HEAD)
    for tenant_id, text in texts.items():
        (many.folder / f"{tenant_id}.yaml").write_text(f"tenants:\n{text}")
    return many


class Editor:
    """Edits a file again and again, each time to another text of the same length.

    Args:
        file: The file.
        old: What stands in it once or first; its digits are counted up.
    """

    def __init__(self, file: Path, old: str = "greeting: Hello 000000") -> None:
        self.file = file
        self._before, self._old, self._after = file.read_text().partition(old)
        if not self._old:
            raise ValueError(f"{file} has no {old!r}")
        self._numbers = count(1)

    def edit(self, *, in_place: bool) -> None:
        """Write the next text, over the old one or into a file that is moved over it."""
        digits = self._old.rstrip("0")
        new = f"{digits}{next(self._numbers):0{len(self._old) - len(digits)}}"
        to = self.file if in_place else self.file.with_name(f".{self.file.name}.new")
        to.write_text(f"{self._before}{new}{self._after}")
        if not in_place:
            to.replace(self.file)
