"""Ask for known vulnerabilities of what our users install along with us: `python -m scripts.audit`.

A vulnerability fails it. Where no service that knows them can be reached it says so, and passes: nobody's build
should depend on the network.
"""

# ruff: noqa: T201 - it talks to a person

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PACKAGE = "label-studio-ml"
EXTRAS = ("", "postgresql")
SERVICES = ("pypi", "osv")
ACCEPTED: Mapping[str, str] = {}
"""Ids of vulnerabilities that do not concern us, each with the reason."""


def installed(package: str, extras: tuple[str, ...]) -> dict[str, str]:
    """The versions of everything that a package needs to run, directly or not, as installed here."""
    found: dict[str, str] = {}
    waiting = [(package, extras)]
    while waiting:
        name, wanted = waiting.pop()
        for text in metadata.requires(name) or []:
            needed = Requirement(text)
            if needed.marker and not any(needed.marker.evaluate({"extra": extra}) for extra in wanted):
                continue
            key = canonicalize_name(needed.name)
            if key not in found:
                found[key] = metadata.version(needed.name)
                waiting.append((needed.name, ("", *needed.extras)))
    return found


def ask(service: str, packages: Mapping[str, str]) -> dict[str, Any]:
    """What pip-audit says of these packages; `{}` when it could not ask."""
    with tempfile.TemporaryDirectory() as folder:
        pins = Path(folder, "requirements.txt")
        pins.write_text("".join(f"{name}=={version}\n" for name, version in packages.items()))
        command = ["pip_audit", "-r", str(pins), "--no-deps", "--disable-pip", "-s", service, "-f", "json"]
        options = ["--progress-spinner", "off", "--timeout", "10"]
        run = subprocess.run(
            [sys.executable, "-m", *command, *options], capture_output=True, text=True, check=False, timeout=300
        )
    try:
        report: dict[str, Any] = json.loads(run.stdout)
    except ValueError:
        return {}
    return report


def read(report: Mapping[str, Any]) -> tuple[int, list[str]]:
    """How many packages the service knew, and a line for each vulnerability that counts."""
    known, findings = 0, []
    for package in report.get("dependencies", []):
        if "skip_reason" in package:
            continue
        known += 1
        for one in package["vulns"]:
            if ACCEPTED.keys().isdisjoint({one["id"], *one.get("aliases", [])}):
                fixed = ", ".join(one["fix_versions"]) or "no version yet"
                findings.append(f"{package['name']} {package['version']}: {one['id']}, fixed in {fixed}")
    return known, findings


def main() -> int:
    """Print what is known; 1 when there is a vulnerability."""
    packages = installed(PACKAGE, EXTRAS)
    for service in SERVICES:
        known, findings = read(ask(service, packages))
        if findings:
            print("\n".join(["Known vulnerabilities:", *findings]))
            return 1
        if known:
            unknown = "" if known == len(packages) else f" ({len(packages) - known} it does not know)"
            print(f"No known vulnerability in {known} packages, says {service}{unknown}.")
            return 0
    services = ", ".join(SERVICES)
    print(f"NOT CHECKED: of {services} none can be reached, or knows the {len(packages)} packages.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
