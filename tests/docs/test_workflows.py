"""The workflows are what they should be, and what they run is there."""

import os
import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / ".github/workflows").glob("*.yml"))
# Programs of the runner itself; everything else is the repository's.
OF_THE_RUNNER = {"git", "gh", "echo"}
# What may stand at each level, as far as these workflows use it.
KEYS = {
    "": {"name", "on", "permissions", "concurrency", "jobs"},
    "job": {
        "name", "runs-on", "container", "timeout-minutes", "continue-on-error",
        "strategy", "steps", "needs", "permissions",
    },
    "step": {"name", "id", "uses", "with", "run", "env"},
}  # fmt: skip


def load(path: Path) -> dict[str, Any]:
    # YAML 1.1 reads the key `on` as true; a workflow's reader does not.
    text = re.sub(r"^on:", '"on":', path.read_text("utf-8"), flags=re.MULTILINE)
    return yaml.safe_load(text)


def steps() -> list[tuple[str, dict[str, Any]]]:
    return [
        (f"{path.name}, {name}", step)
        for path in FILES
        for name, job in load(path)["jobs"].items()
        for step in job["steps"]
    ]


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_a_workflow_has_the_shape_of_one(path: Path) -> None:
    flow = load(path)
    assert set(flow) <= KEYS[""]
    assert flow["permissions"] == {"contents": "read"}
    assert "pull_request_target" not in flow["on"]
    for name, job in flow["jobs"].items():
        assert set(job) <= KEYS["job"], name
        assert job["timeout-minutes"] <= 90
        assert set([job.get("needs")] if "needs" in job else []) <= set(flow["jobs"])
        for step in job["steps"]:
            assert set(step) <= KEYS["step"], step
            assert ("run" in step) != ("uses" in step), step


def test_there_is_one_for_tests_and_one_for_releases() -> None:
    assert [path.name for path in FILES] == ["release.yml", "test.yml"]


@pytest.mark.parametrize(("where", "step"), steps())
def test_what_a_step_runs_is_there(where: str, step: dict[str, Any]) -> None:
    for line in step.get("run", "").splitlines():
        word = shlex.split(line)[0]
        path = ROOT / word
        if "/" in word:
            assert path.is_file(), f"{where}: {word}"
            assert os.access(path, os.X_OK), f"{where}: {word} is not executable"
        else:
            assert word in OF_THE_RUNNER, f"{where}: {word}"
        # What others wrote, such as a branch's name, comes by variables only.
        assert "${{" not in line, f"{where}: {line}"


def test_an_action_is_one_commit_and_its_version_is_said() -> None:
    for path in FILES:
        for line in path.read_text("utf-8").splitlines():
            if "uses:" in line:
                assert re.search(
                    r"uses: actions/[a-z-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line
                ), line


def test_the_versions_that_are_tested_are_those_that_are_supported() -> None:
    matrix = load(ROOT / ".github/workflows/test.yml")["jobs"]["test"]["strategy"][
        "matrix"
    ]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["requires-python"] == f">={matrix['python'][0]}"
    assert matrix["python"] == ["3.11", "3.12", "3.13"]
    assert matrix["include"] == [{"python": "3.14", "may-fail": True}]
    said = [
        c.rpartition(" ")[2] for c in project["classifiers"] if ":: Python :: 3." in c
    ]
    page = (ROOT / "docs/reference/versions.md").read_text("utf-8")
    for version in [*matrix["python"], "3.14"]:
        (row,) = [
            line for line in page.splitlines() if line.startswith(f"| {version} ")
        ]
        # A classifier is a claim: only what was run has one.
        assert ("untried" not in row) == (version in said), row


def test_only_the_job_that_runs_nothing_of_ours_may_sign() -> None:
    jobs = load(ROOT / ".github/workflows/release.yml")["jobs"]
    may = {
        name for name, job in jobs.items() if "id-token" in job.get("permissions", {})
    }
    assert may == {"sign"}
    assert jobs["sign"]["needs"] == "build"
    assert jobs["build"]["needs"] == "test"
    words = [shlex.split(s["run"])[0] for s in jobs["sign"]["steps"] if "run" in s]
    assert not [word for word in words if "/" in word]
    signed = [
        s["with"] for s in jobs["sign"]["steps"] if "attest@" in s.get("uses", "")
    ]
    assert len(signed) == 2
    assert {"sbom-path" in one for one in signed} == {True, False}
    assert all(
        {"dist/*.whl", "dist/*.tar.gz"} == set(one["subject-path"].split())
        for one in signed
    )


def test_a_weakness_can_be_reported_without_an_address_of_ours() -> None:
    text = (ROOT / "SECURITY.md").read_text("utf-8")
    telling = text.partition("## Telling us")[2]
    assert "Report a vulnerability" in telling
    assert "@" not in telling
    assert "://" not in telling
