"""The house stands as docs say: who may import whom, what a domain may know, where a topic is named."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "services").rglob("*.py"))

# Modules of the standard library that reach the world, a clock or chance: a decider is given these as values.
IMPURE = {"asyncio", "os", "pathlib", "random", "secrets", "socket", "subprocess", "threading", "time"}
PURE = (set(sys.stdlib_module_names) - IMPURE) | {
    "safeguarding",
    "google.protobuf",
    "services.chassis.deciding",
    "services.frozen",
    "services.known",
    "services.lifecycle",
    "services.marks",
    "services.moments",
    "services.quarters",
    "services.links",
    "services.shields",
}

TOPIC = re.compile(r"(referrals|partner)\.\S+\.v\d+")


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def _imports(tree: ast.AST, package: str) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: len(package.split(".")) + 1 - node.level] if node.level else []
            source = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{source}.{alias.name}" for alias in node.names)


def _is_within(name: str, modules: set[str]) -> bool:
    parts = name.split(".")
    return any(".".join(parts[:count]) in modules for count in range(1, len(parts) + 1))


def _texts(tree: ast.AST) -> Iterator[str]:
    """Yield each string of the code, an f-string with `{}` for its holes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)


def test_nobody_imports_what_the_contracts_forbid() -> None:
    program = Path(sys.executable).with_name("lint-imports")
    told = subprocess.run([program, "--no-logo", "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)

    assert told.returncode == 0, told.stdout + told.stderr


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_first_line_of_a_file_says_its_one_reason(path: Path) -> None:
    tree = _tree(path)

    assert ast.get_docstring(tree), "the file has no docstring"
    assert tree.body[0].lineno == 1
    assert path.read_text().splitlines()[0].strip('"'), "the docstring says nothing on its first line"


@pytest.mark.parametrize(
    "module",
    ["chassis.deciding", "known", "lifecycle", "marks", "intake.domain", "triage.domain", "partner_routing.domain"],
)
def test_a_decider_imports_only_the_language_and_its_protocol(module: str) -> None:
    place = ROOT.joinpath("services", *module.split("."))
    files = [path for path in FILES if path == place.with_suffix(".py") or place in path.parents]

    found = {
        f"{_name(path)} imports {imported}"
        for path in files
        for imported in _imports(_tree(path), ".".join(path.relative_to(ROOT).parent.parts))
        if not _is_within(imported, PURE | {f"services.{module}"})
    }

    assert not found


def test_a_topic_is_named_in_topics_py_alone() -> None:
    found = {
        f"{_name(path)}: {text}"
        for path in FILES
        if path != ROOT / "services" / "topics.py"
        for text in _texts(_tree(path))
        if TOPIC.fullmatch(text)
    }

    assert not found
