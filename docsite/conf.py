"""Sphinx' settings: `make docs` builds the site into `build/docs`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from kataven_flask import __version__

project = "kataven-flask"
release = __version__
html_title = f"{project} {release}"

extensions = ["myst_parser", "docsite.markup", "docsite.sources"]
root_doc = "index"
myst_heading_anchors = 4
nitpicky = True

html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_js_files = [("keys.js", {"defer": "defer"})]
html_favicon = "../static/docs/icon.svg"
templates_path = ["_templates"]
html_copy_source = False
html_show_copyright = False
html_use_index = False
