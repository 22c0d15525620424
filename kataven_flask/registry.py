"""The tenants as the service looks them up: one immutable value, read whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from kataven_flask.document.fault_words import model_faults
from kataven_flask.document.faults import FaultyDocumentError, Mark, Marks, cross_faults
from kataven_flask.document.yaml_files import NOTHING, PlainDocument, read_document
from kataven_flask.tenants import (
    ClientKey,
    Document,
    DocumentLimits,
    RateLimits,
    Secret,
    Tenant,
    TokenPolicy,
)

_NOWHERE: Final = Marks(Mark(Path()))
_Model = TypeVar("_Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """A client key with all that a request which names it needs.

    Args:
        tenant_id: The tenant's id.
        tenant: The tenant.
        key: The client key.
        tokens: The token policy in force: the tenant's over the document's.
        limits: The rate limits in force: the tenant's over the document's.
    """

    tenant_id: str
    tenant: Tenant
    key: ClientKey
    tokens: TokenPolicy
    limits: RateLimits


@dataclass(frozen=True, slots=True)
class Registry:
    """All tenants of one revision of the files.

    Args:
        revision: A digest of the files' bytes.
        issuer: The `iss` of every token; None for the address served.
        audience: The `aud` of session tokens.
        limits: The document's rate limits; those that concern no key are these.
        tenants: Tenants by id.
        keys: Client keys by their text.
        secrets: Secret keys by their hash.
    """

    revision: str
    issuer: str | None
    audience: str
    limits: DocumentLimits
    tenants: Mapping[str, Tenant]
    keys: Mapping[str, KeyRecord]
    secrets: Mapping[str, tuple[KeyRecord, Secret]]


def empty_registry() -> Registry:
    """Return what a file without any tenant gives."""
    return _index(Document(version=1, tenants={}), "")


def load_registry(path: Path) -> Registry:
    """Read the tenants' file, or a folder of such files.

    Args:
        path: One YAML file, or a folder of them.

    Raises:
        ConfigurationError: A file is missing or can't be read.
        FaultyDocumentError: It has faults; the error carries all of them.

    Returns:
        The registry.
    """
    return read_registry(path)[0]


def read_registry(
    path: Path, overlay: Mapping[Path, bytes] = NOTHING
) -> tuple[Registry, PlainDocument]:
    """Read the tenants' file, or a folder of such files, and keep where everything stands.

    Args:
        path: One YAML file, or a folder of them.
        overlay: What to take for the content of some of these files, instead of what they hold.

    Raises:
        ConfigurationError: A file is missing or can't be read.
        FaultyDocumentError: It has faults; the error carries all of them.

    Returns:
        The registry, and the plain document that it was made from.
    """
    plain = read_document(path, overlay)
    return _index(document_of(plain), plain.revision), plain


def document_of(plain: PlainDocument) -> Document:
    """Return a document as the models have it, or raise a FaultyDocumentError with all faults."""
    faults = [*plain.faults, *cross_faults(plain.content, plain.marks)]
    try:
        document = Document.model_validate(plain.content)
    except ValidationError as error:
        faults += model_faults(error, plain.content, plain.marks, whole=plain.whole)
    if faults:
        raise FaultyDocumentError(faults)
    return document


def sound_document(content: Mapping[str, Any]) -> Document | None:
    """Return a plain document as the models have it; None where it has a fault."""
    try:
        document = Document.model_validate(content)
    except ValidationError:
        return None
    return None if any(cross_faults(content, _NOWHERE)) else document


def _index(document: Document, revision: str) -> Registry:
    keys: dict[str, KeyRecord] = {}
    secrets: dict[str, tuple[KeyRecord, Secret]] = {}
    for tenant_id, tenant in document.tenants.items():
        for record in records_of(tenant_id, tenant, document):
            keys[record.key.client_key] = record
            secrets.update({secret.hash: (record, secret) for secret in record.key.secrets})
    return registry_of(document, revision, document.tenants, keys, secrets)


def registry_of(
    document: Document,
    revision: str,
    tenants: Mapping[str, Tenant],
    keys: dict[str, KeyRecord],
    secrets: dict[str, tuple[KeyRecord, Secret]],
) -> Registry:
    """Make a registry of what was looked up; nobody may change the mappings from now on.

    Args:
        document: What stands beside the tenants.
        revision: What it is called.
        tenants: Tenants by id.
        keys: Client keys by their text.
        secrets: Secret keys by their hash.
    """
    return Registry(
        revision,
        document.issuer,
        document.audience,
        document.limits,
        MappingProxyType(tenants) if isinstance(tenants, dict) else tenants,
        MappingProxyType(keys),
        MappingProxyType(secrets),
    )


def records_of(tenant_id: str, tenant: Tenant, document: Document) -> list[KeyRecord]:
    """Return a tenant's client keys, with the policies that are in force for them."""
    tokens = _overridden(document.tokens, tenant.tokens)
    limits = _overridden(document.limits, tenant.limits)
    return [KeyRecord(tenant_id, tenant, key, tokens, limits) for key in tenant.keys]


def _overridden(base: _Model, by: _Model) -> _Model:
    """Lay the members that a tenant wrote over the document's."""
    written = by.model_fields_set
    return (
        base.model_copy(update={name: getattr(by, name) for name in written}) if written else base
    )
