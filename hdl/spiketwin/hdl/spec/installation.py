"""How this package was installed, and so the command that adds an extra to it."""

from __future__ import annotations

import json
import shlex
import sys
from importlib.metadata import distribution
from urllib.parse import urlsplit
from urllib.request import url2pathname


def install_command(extra: str = "", *options: str) -> str:
    """Return the shell command that installs an extra, or repairs the core installation.

    Parameters
    ----------
    extra:
        Name of the extra; empty for the core installation.
    options:
        Options of ``pip install``, such as ``--force-reinstall``.
    """
    # pip writes this file for a package that did not come from an index (PEP 610).
    recorded = distribution("spiketwin").read_text("direct_url.json")
    source = json.loads(recorded) if recorded else {}
    name, editable = "spiketwin", []
    if "dir_info" in source:
        name = url2pathname(urlsplit(source["url"]).path)
        editable = ["--editable"] if source["dir_info"].get("editable") else []
    wanted = f"{name}[{extra}]" if extra else name
    return shlex.join([sys.executable, "-m", "pip", "install", *options, *editable, wanted])
