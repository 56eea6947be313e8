"""The package as others install it: a wheel with all that linekey needs to run."""

import os
import re
import subprocess
import sys
import tarfile
import zipfile
from importlib.metadata import Distribution
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]


def run(*words: str, cwd: Path, **environment: str) -> str:
    ran = subprocess.run(
        words, cwd=cwd, env={**os.environ, **environment},
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from the sdist, as pip builds it, so that nothing is missing in that."""
    folder = tmp_path_factory.mktemp("wheel")
    hatchling = [sys.executable, "-m", "hatchling", "build", "-d", str(folder)]
    run(*hatchling, "-t", "sdist", cwd=ROOT)
    (sdist,) = folder.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    words = ("wheel", "--no-deps", "--no-build-isolation", "-w", str(folder))
    run(*PIP, *words, str(folder / sdist.name.removesuffix(".tar.gz")), cwd=folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path) -> Path:
    folder = wheel.parent / "installed"
    run(
        *PIP,
        "install",
        "--no-deps",
        "--target",
        str(folder),
        str(wheel),
        cwd=folder.parent,
    )
    return folder


def test_the_wheel_has_every_file_of_the_package(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        packed = {n for n in archive.namelist() if n.startswith("linekey/")}
    tracked = run("git", "ls-files", "src/linekey", cwd=ROOT).split()
    assert {path.removeprefix("src/") for path in tracked} == packed


def test_it_runs_from_where_it_was_installed(installed: Path, tmp_path: Path) -> None:
    python = {"PYTHONPATH": str(installed), "LINEKEY_STATE": str(tmp_path / "state")}
    where = run(
        sys.executable, "-c", "import linekey; print(linekey.__file__)",
        cwd=tmp_path, **python,
    )  # fmt: skip
    assert where.startswith(str(installed))
    program = str(installed / "bin" / "linekey")
    # The sdist's own version: where the wheel was built, there is no git.
    (sdist,) = installed.parent.glob("*.tar.gz")
    version = sdist.name.removeprefix("linekey-").removesuffix(".tar.gz")
    assert run(program, "--version", cwd=tmp_path, **python) == f"linekey {version}\n"
    assert version != "0.0.0"
    said = run(program, "up", "--once", "--json", cwd=tmp_path, **python)
    assert '"provisioned"' in said


@pytest.fixture(scope="module")
def bare(installed: Path) -> Path:
    """What a bare environment has beside the wheel: the files of what run.txt pins.

    Links to this environment's files, so that nothing is fetched; `tools/release` does
    the same with pip and a real environment.
    """
    folder = installed.parent / "bare"
    folder.mkdir()
    for name in pinned("run"):
        distribution = Distribution.from_name(name)
        tops = {file.parts[0] for file in distribution.files or () if file.parts}
        for top in tops - {"..", "__pycache__"}:
            if not (folder / top).exists():
                (folder / top).symlink_to(Path(str(distribution.locate_file(top))))
    return folder


def pinned(part: str) -> list[str]:
    text = (ROOT / f"requirements/{part}.txt").read_text("utf-8")
    return re.findall(r"^([A-Za-z0-9_.-]+)(?:\[.*\])?==", text, re.MULTILINE)


def test_every_command_helps_with_nothing_but_what_is_pinned(
    installed: Path, bare: Path, tmp_path: Path
) -> None:
    places = f"import sys; sys.path[:0] = [{str(installed)!r}, {str(bare)!r}]"
    program = str(ROOT / "tools/every_help.py")
    said = run(
        sys.executable, "-I", "-S", "-c",
        f"{places}; import runpy; runpy.run_path({program!r}, run_name='__main__')",
        cwd=tmp_path,
    )  # fmt: skip
    assert int(said.split()[0]) > 70
    missing = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"{places}; import pytest"],
        capture_output=True, text=True,
    )  # fmt: skip
    assert "No module named 'pytest'" in missing.stderr
