"""The HTTP server, and the address that the console script has always had: `label_studio_ml.server:main`."""

from __future__ import annotations


def main() -> None:
    """Run the command line."""
    from ..cli.main import main as run  # the server itself needs no command line

    run()
