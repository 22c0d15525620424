"""The languages of `docs/onboarding.md`, and how what is written in them is run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.guide import write_file
from tests.running import BOUND
from tests.support import KEY, SECRET

USER: Final = {"id": "42", "name": 'Zoë "Zo" Müller 🚲', "email": "zoe@example.com"}

PYTHON_MAIN: Final = """
import json, os
from widget_token import widget_token
print(widget_token(json.loads(os.environ["WIDGET_USER"])))
"""
NODE_MAIN: Final = """
import {widgetToken} from "./widget-token.mjs";
console.log(await widgetToken(JSON.parse(process.env.WIDGET_USER)));
"""
PHP_MAIN: Final = """<?php
require 'widget_token.php';
echo widget_token(json_decode(getenv('WIDGET_USER'), true));
"""
RUBY_MAIN: Final = """
require_relative "widget_token"
puts widget_token(JSON.parse(ENV.fetch("WIDGET_USER"), symbolize_names: true))
"""
GO_MAIN: Final = """
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"shop/widget"
)

func main() {
	var user widget.User
	if err := json.Unmarshal([]byte(os.Getenv("WIDGET_USER")), &user); err != nil {
		panic(err)
	}
	token, err := widget.Token(context.Background(), user)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(token)
}
"""


@dataclass(frozen=True)
class Language:
    """A language of the page, and how a test calls what is written in it.

    Args:
        name: What a reader calls it.
        file: The block that the page names so.
        command: What is run; its first word has to be on the machine.
        main: The text of a program that calls the block's function and prints what it gives;
            empty for a block that is run itself.
    """

    name: str
    file: str
    command: tuple[str, ...]
    main: str = ""

    @property
    def is_here(self) -> bool:
        """Whether it is on this machine."""
        return shutil.which(self.command[0]) is not None


LANGUAGES: Final = [
    Language("Python", "widget_token.py", (sys.executable, "main.py"), PYTHON_MAIN),
    Language("Node", "widget-token.mjs", ("node", "main.mjs"), NODE_MAIN),
    Language("PHP", "widget_token.php", ("php", "main.php"), PHP_MAIN),
    Language("Ruby", "widget_token.rb", ("ruby", "main.rb"), RUBY_MAIN),
    Language("Go", "widget/token.go", ("go", "build", "-o", "shop", "main.go"), GO_MAIN),
    Language("curl", "widget_token.sh", ("curl",)),
]


class Snippet:
    """A block of the page, ready to be run.

    Args:
        language: Its language.
        folder: Where it was written.
        go_cache: Where Go keeps what it has compiled.
    """

    def __init__(self, language: Language, folder: Path, go_cache: Path) -> None:
        self.language = language
        self._folder = folder
        self._command = language.command
        path = write_file(folder, language.file)
        if language.main:
            (folder / f"main{path.suffix}").write_text(language.main)
        else:
            self._command = ("/bin/sh", language.file)
        if path.suffix == ".go":
            self._build(go_cache)
            self._command = ("./shop",)

    def start(self, url: str, secret: str = SECRET) -> subprocess.Popen[str]:
        """Start it with the environment that the page asks for."""
        return subprocess.Popen(
            self._command,
            cwd=self._folder,
            env=environment(url, secret),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    def run(self, url: str, secret: str = SECRET) -> tuple[int, str, str]:
        """Run it to its end; return the exit status, what it printed, and what it complained."""
        process = self.start(url, secret)
        printed, complaint = process.communicate(timeout=BOUND)
        return process.returncode, printed, complaint

    def token(self, url: str) -> str:
        """Run it, and return the visitor token that it gave."""
        status, printed, complaint = self.run(url)
        assert (status, complaint) == (0, "")
        return printed.strip() if self.language.main else str(json.loads(printed)["user_token"])

    def _build(self, cache: Path) -> None:
        """Compile, with nothing but what is on this machine; a second run finds its work done."""
        (self._folder / "go.mod").write_text("module shop\n\ngo 1.18\n")
        settings = {"GOCACHE": str(cache), "GOPROXY": "off", "GOFLAGS": "", "CGO_ENABLED": "0"}
        done = subprocess.run(
            self.language.command,
            cwd=self._folder,
            env={**os.environ, **settings},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")


def environment(url: str, secret: str = SECRET) -> dict[str, str]:
    """Return this process' environment with what the page has its reader set."""
    return {
        **os.environ,
        "LC_ALL": "C.UTF-8",
        "KATAVEN_URL": url,
        "KATAVEN_CLIENT_KEY": KEY,
        "KATAVEN_SECRET_KEY": secret,
        "WIDGET_USER": json.dumps(USER),
    }
