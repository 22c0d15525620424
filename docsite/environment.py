"""`docs/environment.md`: the one table of the variables, made from the command and its settings."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from docsite.markdown import code, head, table
from docsite.options import NAME, Option, commands

_PACKAGE: Final = Path(__file__).parent.parent / "kataven_flask"
_MANY: Final = 3
_SERVER_HEAD: Final = ("variable", "what it sets", "option")
_OTHERS_HEAD: Final = ("variable", "what it sets", "for")
_SECRETS: Final = (
    ("KATAVEN_SECRET_KEY", "doctor --sign-in", "The secret key; else it is asked for."),
)
"""What no option takes, as a command line is seen by everybody on the machine."""
_BACKEND: Final = (
    ("KATAVEN_URL", "Where the service is reached, from the backend."),
    ("KATAVEN_CLIENT_KEY", "The `pk_…` key."),
    ("KATAVEN_SECRET_KEY", "The `sk_…` key: in the environment, and in no file of the repository."),
)
_TESTS: Final = (
    (
        "KATAVEN_SCREENSHOTS",
        "Where the browser's tests keep [pictures](../CONTRIBUTING.md) of what they see.",
    ),
)
_FOREIGN: Final = (
    ("NO_COLOR", "Set to anything, no command prints colors."),
    ("XDG_CONFIG_HOME", "Where the user's configuration is looked for."),
    ("XDG_CONFIG_DIRS", "Where the machine's configuration is looked for."),
    ("XDG_STATE_HOME", "Where the user's instance folder is looked for."),
    ("TMPDIR", "Where `--admin` keeps its counts, in the place of `/dev/shm`."),
    (
        "PROMETHEUS_MULTIPROC_DIR",
        "Where [another WSGI server](deployment.md#metrics-under-another-server) counts.",
    ),
    (
        "HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE",
        "How [`kataven_flask.verify`](verify.md#how-long-keys-are-kept) fetches the keys.",
    ),
)


def page() -> str:
    """Return the page."""
    found = dict(_found())
    server = {name: option for name, (readers, option) in found.items() if "serve" in readers}
    others = [(name, *each) for name, each in found.items() if name not in server]
    elsewhere = read_by_wsgi()
    return head("environment").format(
        server=table(
            _SERVER_HEAD, [_cells(*each) for each in server.items() if each[0] in elsewhere]
        ),
        serve=table(
            _SERVER_HEAD, [_cells(*each) for each in server.items() if each[0] not in elsewhere]
        ),
        others=table(
            _OTHERS_HEAD,
            [*itertools.starmap(_by_command, others), *map(_literal, _SECRETS)],
        ),
        backend=_list(_BACKEND),
        tests=_list(_TESTS),
        foreign=_list(_FOREIGN),
    )


def _list(told: Iterable[tuple[str, str]]) -> str:
    rows = [(", ".join(map(code, names.split(", "))), what) for names, what in told]
    return table(["variable", "what it is for"], rows)


def _found() -> dict[str, tuple[list[str], Option]]:
    """Return each variable with the commands that read it, and the option of the first of them."""
    found: dict[str, tuple[list[str], Option]] = {}
    for command in commands():
        for option in command.options:
            if option.variable:
                readers, _ = found.setdefault(option.variable, ([], option))
                readers.append(command.name.removeprefix(f"{NAME} "))
    return found


def _cells(name: str, option: Option) -> tuple[str, str, str]:
    return code(name), option.sentence, code(option.flag)


def _by_command(name: str, readers: list[str], option: Option) -> tuple[str, ...]:
    variable, what, flag = _cells(name, option)
    spelled = [code(f"{reader} {option.flag}") for reader in readers]
    return (
        variable,
        what,
        f"{flag}, wherever it is" if len(readers) > _MANY else " ".join(spelled),
    )


def _literal(secret: tuple[str, str, str]) -> tuple[str, ...]:
    variable, command, what = secret
    return code(variable), what, code(command)


def read_by_wsgi() -> set[str]:
    """Return the variables that the app reads where another server runs it."""
    wsgi = (_PACKAGE / "wsgi.py").read_text()
    text = (_PACKAGE / "settings.py").read_text() + wsgi
    return set(re.findall(r"KATAVEN_[A-Z_]*[A-Z]", text)) - _for_serve_alone(wsgi)


def _for_serve_alone(text: str) -> set[str]:
    """Return what wsgi.py says is for `serve`; to import it would start a server."""
    for node in ast.parse(text).body:
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "_FOR_SERVE_ALONE":
            return set(ast.literal_eval(node.value or ast.Tuple([])))
    return set()
