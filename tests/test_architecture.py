"""The house: few entries, arrows that go down, no circle; and each addition has one place."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from csqcfs.engine import paths

ROOT = paths.REPOSITORY / "lib" / "csqcfs"
MODULES = {
    ".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(ROOT.rglob("*.py"))
}
# a floor imports only what stands to its left, and itself
FLOORS = ("engine", "activations neurons", "methods data models conversion training", "paper")


def imports(name: str) -> Iterator[tuple[str, int]]:
    """Modules of this package that a module imports, anywhere in it; those for type checkers alone are left out."""
    path = MODULES[name]
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):  # breadth first, so that the branch is emptied before its imports come
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names if alias.name.split(".")[0] == "csqcfs")
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")
            base = ".".join(parts[: len(parts) - node.level + 1]) if node.level else ""
            module = ".".join(filter(None, (base, node.module)))
            if module.split(".")[0] == "csqcfs":
                for alias in node.names:
                    inner = f"{module}.{alias.name}"
                    yield (inner if inner in MODULES else module), node.lineno


def room(name: str) -> str:
    return (name.split(".") + [""])[1]


def test_twelve_entries_at_most():
    """Those that git tracks or will track."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "lib/csqcfs"],
        cwd=paths.REPOSITORY,
        capture_output=True,
        text=True,
    )
    if listed.returncode:
        pytest.skip("no git checkout")
    entries = sorted({Path(line).relative_to("lib/csqcfs").parts[0] for line in listed.stdout.splitlines()})
    assert len(entries) <= 12, entries


def test_arrows_go_down():
    """The method never imports the companion; engine leans on nothing. The command alone starts at the top."""
    height = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms.split()}
    up = [
        f"{name}, line {line}: {there}"
        for name in MODULES
        if name not in ("csqcfs", "csqcfs.__main__")
        for there, line in imports(name)
        if height[room(there)] > height[room(name)]
    ]
    assert not up, up


def test_no_circle():
    """Not even one that a late import hides."""
    arrows = {name: {there for there, _ in imports(name)} - {name} for name in MODULES}
    arrows["csqcfs"] = set()  # its names are imported at their first use
    done: set[str] = set()

    def visit(name: str, way: tuple[str, ...]) -> None:
        assert name not in way, " -> ".join([*way[way.index(name) :], name])
        if name not in done:
            for there in sorted(arrows[name]):
                visit(there, (*way, name))
            done.add(name)

    for name in MODULES:
        visit(name, ())


def test_every_module_says_what_it_is():
    silent = [
        name for name, path in MODULES.items() if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert not silent
