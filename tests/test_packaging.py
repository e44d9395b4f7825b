"""What pip sees: ranges for the method, one lock for all the rest, and the same version everywhere."""

from __future__ import annotations

import ast
import importlib.metadata
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile

import csqcfs
import pytest
from csqcfs.engine import paths
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = tomllib.loads((paths.REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]


def lock() -> dict[str, Requirement]:
    lines = (paths.REPOSITORY / "requirements.lock").read_text(encoding="utf-8").splitlines()
    pins = [Requirement(line) for line in lines if not line.startswith("#")]
    return {canonicalize_name(pin.name): pin for pin in pins}


def needed(wanted: list[str]) -> dict[str, list[Requirement]]:
    """What the packages of ``wanted`` require here, transitively, by name; as installed."""
    found: dict[str, list[Requirement]] = {}
    todo, done = [Requirement(line) for line in wanted], set()
    while todo:
        requirement = todo.pop()
        name = canonicalize_name(requirement.name)
        if name == "csqcfs":
            continue
        found.setdefault(name, []).append(requirement)
        for extra in ("", *requirement.extras):
            if (name, extra) in done:
                continue
            done.add((name, extra))
            for line in importlib.metadata.requires(name) or []:
                below = Requirement(line)
                if below.marker is None and not extra or below.marker and below.marker.evaluate({"extra": extra}):
                    todo.append(below)
    return found


def test_the_method_needs_five_packages_in_ranges():
    ranges = {Requirement(line).name: Requirement(line).specifier for line in PROJECT["dependencies"]}
    assert set(ranges) == {"torch", "torchvision", "numpy", "safetensors", "tqdm"}
    assert all({part.operator for part in found} == {">=", "<"} for found in ranges.values())
    assert {"paper", "dask", "test", "export"} == set(EXTRAS)


@pytest.mark.parametrize("extra", ["", *EXTRAS])
def test_the_lock_pins_everything_exactly_and_within_the_ranges(extra):
    pins = lock()
    for line in PROJECT["dependencies"] if not extra else EXTRAS[extra]:
        if (name := canonicalize_name(Requirement(line).name)) != "csqcfs":
            assert name in pins, f"{name} is not in requirements.lock"
    assert all(re.fullmatch(r"==[\w.+!]+", str(pin.specifier)) and pin.url is None for pin in pins.values())
    try:
        everything = needed(PROJECT["dependencies"] if not extra else EXTRAS[extra])
    except importlib.metadata.PackageNotFoundError as error:
        pytest.skip(f"{error.name} is not installed here")
    if str(pins["torch"].specifier) != f"=={importlib.metadata.version('torch').partition('+')[0]}":
        pytest.skip("the packages here are not those of requirements.lock, so they require others")
    for name, requirements in everything.items():
        assert name in pins, f"{name} is not in requirements.lock"
        (version,) = (part.version for part in pins[name].specifier)
        for requirement in requirements:
            assert requirement.specifier.contains(version, prereleases=True), f"{requirement}, but {pins[name]}"


def imported(folder: pathlib.Path) -> set[str]:
    """The packages that the files below ``folder`` import, anywhere in them."""
    names: set[str] = set()
    for file in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names.add(node.module or "")
    return {name.split(".")[0] for name in names} - set(sys.stdlib_module_names) - {"csqcfs"}


@pytest.mark.large
@pytest.mark.parametrize("folder, extras", [("lib", ["paper", "dask", "export"]), ("tests", ["test", *EXTRAS])])
def test_what_is_imported_is_declared(folder, extras):
    """A package that only happens to be installed here is missing on the next machine."""
    wanted = [*PROJECT["dependencies"], *(line for extra in extras for line in EXTRAS[extra])]
    try:
        declared = set(needed(wanted))
    except importlib.metadata.PackageNotFoundError as error:
        pytest.skip(f"{error.name} is not installed here")
    by_module = importlib.metadata.packages_distributions()
    allowed = {"spikingjelly", "timm"}  # compared with where they are installed, and never needed
    names = imported(paths.REPOSITORY / folder) - allowed
    assert "torch" in names
    for name in names:
        owners = {canonicalize_name(owner) for owner in by_module.get(name, [name])}
        assert owners & declared, f"{name} is imported below {folder} and no extra of {extras} asks for it"


def test_gpu_packages_are_asked_for_on_linux_alone():
    gpu = [pin for name, pin in lock().items() if name.startswith(("nvidia-", "cuda-", "triton"))]
    assert gpu and all("linux" in str(pin.marker) for pin in gpu)


def test_no_place_of_this_machine_is_in_the_lock():
    text = (paths.REPOSITORY / "requirements.lock").read_text(encoding="utf-8")
    assert not re.search(r"file:|https?:|@|--(index|find|extra)|/(work|root|tmp|home|opt)\b", text)


def test_versions_agree():
    cited = (paths.REPOSITORY / "CITATION.cff").read_text(encoding="utf-8")
    version, date = (re.search(rf"^{key}: (.+)$", cited, re.MULTILINE)[1] for key in ("version", "date-released"))
    assert version == PROJECT["version"] == csqcfs.__version__
    changes = (paths.REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(r"^## (.+)$", changes, re.MULTILINE)[1] == f"{version} ({date})"


def test_the_public_names_are_those_that_editors_see():
    """The imports under TYPE_CHECKING and the table used at run time say the same."""
    text = (paths.REPOSITORY / "lib" / "csqcfs" / "__init__.py").read_text(encoding="utf-8")
    seen = {
        (home.lstrip(".") or name, name)
        for home, name in re.findall(r"^    from (\.\S*) import (\w+) as", text, re.MULTILINE)
    }
    assert seen == {(home.removesuffix(f".{name}"), name) for name, home in csqcfs._HOME_OF.items()}
    assert set(csqcfs.__all__) <= set(dir(csqcfs))
    with pytest.raises(AttributeError, match="^module 'csqcfs' has no attribute 'quantise'$"):
        csqcfs.quantise  # noqa: B018


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    command = [
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--wheel-dir",
        str(folder),
        str(paths.REPOSITORY),
    ]
    built = subprocess.run([sys.executable, "-m", "pip", *command], capture_output=True, text=True, timeout=300)
    if built.returncode:
        pytest.skip(f"no wheel can be built here: {built.stderr.strip().splitlines()[-1]}")
    return next(folder.glob("*.whl"))


@pytest.mark.large
def test_the_wheel_works_outside_the_checkout(wheel, tmp_path):
    """It loads and converts a network that it ships, and says in one line what it cannot do without the repository."""
    with zipfile.ZipFile(wheel) as archive:
        assert "csqcfs/py.typed" in archive.namelist()
        archive.extractall(tmp_path / "site")
    code = (
        "import csqcfs, torch; assert csqcfs.__file__.startswith({site!r}), csqcfs.__file__\n"
        "snn = csqcfs.convert(csqcfs.load('resnet20-cifar10-csqcfs-paper'))\n"
        "print(list(snn(torch.zeros(1, 3, 32, 32), T=2).shape))"
    ).format(site=str(tmp_path / "site"))
    environment = {"PYTHONPATH": str(tmp_path / "site"), "PATH": "/usr/bin:/bin", "CSQCFS_COMPILE": "0"}

    def python(*words: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, *words], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300
        )

    done = python("-c", code)
    assert done.stdout.strip() == "[2, 1, 10]", done.stderr
    done = python("-m", "csqcfs", "run")
    assert done.returncode == 2 and done.stderr.startswith("error: csqcfs run needs the repository")
    assert done.stderr.count("\n") == 1


def test_a_copied_or_moved_checkout_is_installed_anew(tmp_path):
    """An editable install leads to the folder that it was made in, whose code a copy would run."""
    first, second = tmp_path / "first", tmp_path / "second"
    (first / ".venv" / "bin").mkdir(parents=True)
    for name in ("run_all.sh", "pyproject.toml", "requirements.lock"):
        shutil.copy(paths.REPOSITORY / name, first)
    python = first / ".venv" / "bin" / "python"
    python.write_text('#!/bin/sh\necho "$2"\n')
    python.chmod(0o755)

    def called(folder: pathlib.Path) -> list[str]:
        """The modules that the environment's interpreter was asked for."""
        environment = {"PYTHON": sys.executable, "PATH": os.environ["PATH"]}
        done = subprocess.run([folder / "run_all.sh", "readme"], capture_output=True, text=True, env=environment)
        return done.stdout.split("\n")[:-1]

    assert called(first)[1:] == ["pip", "csqcfs"] and called(first) == ["csqcfs"]
    shutil.copytree(first, second)
    assert called(second)[1:] == ["pip", "csqcfs"] and called(second) == called(first) == ["csqcfs"]
    second.rename(tmp_path / "third")
    assert called(tmp_path / "third")[1:] == ["pip", "csqcfs"]
