"""`Kataven`: the server as a test has it in its hands."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from kataven_flask.registry import read_registry
from kataven_flask.testing.happenings import Happenings
from kataven_flask.testing.server import RunningServer
from kataven_flask.testing.tenants import (
    DEFAULT_AGENTS,
    OWN_PAGE,
    Agents,
    Tenant,
    Wish,
    adopted,
    free_id,
    fresh_keys,
)
from kataven_flask.testing.tokens import TokensAndCalls


class Kataven(Happenings, TokensAndCalls):
    """A real server for one test, on a free port of loopback.

    It is never one for production: its keys are made up for it and gone with it, its state is in
    memory, its clock and its faults are the test's.

    Args:
        server: What runs.
    """

    def __init__(self, server: RunningServer) -> None:
        super().__init__(server)
        self._wishes: dict[str, tuple[Wish, Tenant]] = {}

    def __repr__(self) -> str:
        return f"<Kataven at {self.url}>"

    # --- where it is

    @property
    def url(self) -> str:
        """Its address, without a slash at the end: `http://127.0.0.1:41233`."""
        return self._server.url

    @property
    def widget_url(self) -> str:
        """The address of the widget's script."""
        return f"{self.url}/widget/v1.js"

    @property
    def jwks_url(self) -> str:
        """The address of its public keys."""
        return f"{self.url}/.well-known/jwks.json"

    @property
    def issuer(self) -> str:
        """The `iss` of its tokens: its address, unless a file that was loaded names another."""
        return self._server.tokens.issuer

    @property
    def audience(self) -> str:
        """The `aud` of its session tokens."""
        return self._server.tokens.audience

    # --- tenants

    def tenant(  # noqa: PLR0913 - a wish each
        self,
        id: str | None = None,  # noqa: A002 - it is called so in the file
        *,
        origins: Sequence[str],
        name: str | None = None,
        agents: Agents = DEFAULT_AGENTS,
        branding: Mapping[str, Any] | None = None,
        tokens: Mapping[str, Any] | None = None,
        limits: Mapping[str, Any] | None = None,
        guests: bool = True,
        users: bool = True,
        enabled: bool = True,
        connect_url: str = OWN_PAGE,
    ) -> Tenant:
        """Make a tenant; it is in force when this returns.

        Args:
            id: Its id; None for `tenant`, `tenant-2` and so on.
            origins: The entries of its key's allowlist. Where all are loopback hosts, as in
                `http://localhost:3000`, it gets test keys (`pk_test_…`), else live ones.
            name: What visitors see as its name; None for one like the id.
            agents: Its agents' ids; or, by id, the members of each as the tenants' file has
                them. The first one is the default.
            branding: Members of `branding` in the tenants' file.
            tokens: Members of `tokens`, such as `{"session_ttl": "1m"}`.
            limits: Members of `limits`, such as `{"guest_per_minute": 1}`; others are none.
            guests: Whether agents talk to guests, where `agents` doesn't say.
            users: Whether they talk to users that are signed in, likewise.
            enabled: Whether its client key works.
            connect_url: Where the widget of its snippet sends messages.

        Raises:
            FaultyDocumentError: The service refuses such a tenant; the message has all reasons.
            ValueError: There is one with this id, or it would admit nobody.

        Returns:
            The tenant.
        """
        wish = Wish(
            id=id or "",
            origins=origins,
            name=name,
            agents=agents,
            branding=branding,
            tokens=tokens,
            limits=limits,
            guests=guests,
            users=users,
            enabled=enabled,
            connect_url=connect_url,
        )
        with self._server.edits:
            if id is None:
                wish = wish.changed({"id": free_id(self._server.files.tenants)})
            self._require_new(wish.id)
            return self._put(wish, *fresh_keys(wish.id, wish.origins))

    def change(self, tenant: Tenant | str, **wishes: Any) -> Tenant:
        """Change a tenant that a test has made, as an edit of the tenants' file does.

        Args:
            tenant: The tenant, or its id.
            **wishes: What is to be otherwise: any argument of `tenant` but the id.

        Raises:
            LookupError: There is none that a test has made.
            FaultyDocumentError: The service refuses such a tenant; it stays as it was.
            TypeError: There is no such argument.

        Returns:
            The tenant as it is now, with the keys that it had.
        """
        tenant_id = tenant if isinstance(tenant, str) else tenant.id
        if "id" in wishes:
            raise TypeError("a tenant's id can't be changed")
        with self._server.edits:
            if tenant_id not in self._wishes:
                raise LookupError(f"no tenant {tenant_id!r} was made here with kataven.tenant(…)")
            wish, known = self._wishes[tenant_id]
            return self._put(wish.changed(wishes), known.client_key, known.secret_key)

    def load(self, path: str | Path) -> Mapping[str, Tenant]:
        """Take in the tenants of a file of yours; it is read, and left as it is.

        The first key of each tenant gets one more secret key, in place of the second where it
        has two, as nobody knows a secret by its hash. The file's `issuer`, `audience`, `tokens`
        and `limits` hold as well; limits that it doesn't name are none.

        Args:
            path: The tenants' file, or a folder of such files.

        Raises:
            FaultyDocumentError: It has faults; the message has all of them, with their lines.
            ConfigurationError: It can't be read.
            ValueError: There is a tenant with such an id.

        Returns:
            The tenants by their ids; those without a client key are taken in, and aren't here.
        """
        content = read_registry(Path(path))[1].content
        entries = content.pop("tenants")
        with_keys = {name: entry for name, entry in entries.items() if entry.get("keys")}
        loaded = {name: adopted(name, entry, self.url) for name, entry in with_keys.items()}
        with self._server.edits:
            for tenant_id in entries:
                self._require_new(tenant_id)
            files = self._server.files
            files.write(entries | {name: entry for name, (entry, _) in loaded.items()})
            files.set(content)
            self._server.take_over()
        return {name: tenant for name, (_, tenant) in loaded.items()}

    def _require_new(self, tenant_id: str) -> None:
        if tenant_id in self._server.files.tenants:
            raise ValueError(f"there is a tenant {tenant_id!r} already; see kataven.change(…)")

    def _put(self, wish: Wish, client_key: str, secret_key: str) -> Tenant:
        self._server.files.write({wish.id: wish.entry(client_key, secret_key)})
        self._server.take_over()
        tenant = wish.tenant(client_key, secret_key, self.url)
        self._wishes[wish.id] = wish, tenant
        return tenant

    # --- from one test to the next

    def settle(self) -> None:
        """End what goes wrong, have the clock show the real time, forget the requests."""
        self.restore()
        self.clock.reset()
        self.forget_requests()

    def reset(self) -> None:
        """Do all that `settle` does, and forget all tenants and all state as well."""
        self.settle()
        with self._server.edits:
            self._server.store.forget()
            self._server.files.forget()
            self._server.take_over()
            self._wishes.clear()

    def serve_beside(self, app: Callable[..., Any]) -> str:
        """Serve a WSGI app of the test's, such as a `/connect` service, as long as this server.

        Args:
            app: The app.

        Returns:
            Its address: another port of loopback.
        """
        return self._server.serve_beside(app)

    def close(self) -> None:
        """End the server; to end it twice is no error."""
        self._server.close()
