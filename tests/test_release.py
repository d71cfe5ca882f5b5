"""A release: what `make dist` builds, and that a tag which is not the version is refused."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import textwrap
import zipfile
from pathlib import Path

import pytest
import yaml

from communication_trends import __version__
from local import ROOT

VERSIONED = [
    *("plugins/communication_trends/__init__.py", "sql/VERSION"),
    *("dags/communication_trends_periods.py", "dags/communication_trends_history.py"),
]


def git(folder, *arguments):
    identity = ["-c", "user.name=A", "-c", "user.email=a@example.com"]
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


def dist(folder, *tag, **changes):
    environment = {**os.environ, "UV": str(Path(sys.executable).parent / "uv"), **changes}
    return subprocess.run([".ci/dist", *tag], cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture
def repository(tmp_path):
    """A commit of what a release is made of."""
    folder = tmp_path / "repository"
    for name in (".ci", "dags", "plugins", "sql"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "CHANGELOG.md"):
        shutil.copy(ROOT / name, folder)
    git(folder, "init", "--quiet")
    git(folder, "add", ".")
    git(folder, "commit", "--message", "one")
    return folder


def test_a_release_has_the_same_files_as_wheel_and_as_archive_and_their_checksums(repository):
    # what is not committed is in no release
    (repository / "plugins" / "communication_trends" / "leftover.py").touch()
    built = dist(repository)
    assert built.returncode == 0, built.stderr
    names = sorted(path.name for path in (repository / "dist").iterdir())
    wheel, archive = (
        f"communication_trends-{__version__}-py3-none-any.whl",
        f"communication-trends-{__version__}.tar.gz",
    )
    assert names == sorted([wheel, archive, "SHA256SUMS", "RELEASE_NOTES.md"])
    for line in (repository / "dist" / "SHA256SUMS").read_text().splitlines():
        digest, name = line.split()
        assert hashlib.sha256((repository / "dist" / name).read_bytes()).hexdigest() == digest
    with zipfile.ZipFile(repository / "dist" / wheel) as opened:
        in_wheel = {name: opened.read(name) for name in opened.namelist() if ".dist-info/" not in name}
    tree = {
        "communication_trends/dags/": ROOT / "dags",
        "communication_trends/sql/": ROOT / "sql",
        "communication_trends/": ROOT / "plugins" / "communication_trends",
    }
    expected = {
        prefix + str(path.relative_to(folder)): path.read_bytes()
        for prefix, folder in tree.items()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert in_wheel == expected
    with tarfile.open(repository / "dist" / archive) as opened:
        in_archive = {
            Path(one.name).relative_to(f"communication-trends-{__version__}") for one in opened if one.isfile()
        }
    assert {str(path) for path in in_archive if path.parts[0] == "sql"} == {
        name.removeprefix("communication_trends/") for name in in_wheel if name.startswith("communication_trends/sql/")
    }
    assert {Path("plugins/.airflowignore"), Path("dags/communication_trends_periods.py")} <= in_archive


def test_a_tag_that_is_not_the_version_or_has_no_section_in_the_changelog_is_refused(repository):
    assert dist(repository, "v0.9.0").stderr.strip() == (
        f"the tag is v0.9.0, the package's version {__version__}: the tag has to be v{__version__}"
    )
    for name in VERSIONED:
        text = (repository / name).read_text()
        assert __version__ in text
        (repository / name).write_text(text.replace(__version__, "0.9.0"))
    assert dist(repository, "v0.9.0").stderr.strip() == "CHANGELOG.md has no section '## [0.9.0] - YYYY-MM-DD'"
    changelog = repository / "CHANGELOG.md"
    changelog.write_text(
        changelog.read_text().replace(
            "## [0.1.0]", "## [0.9.0] - 2026-12-24\n\n[What](docs/api.md#new) is new.\n\n## [0.1.0]"
        )
    )
    git(repository, "commit", "--all", "--message", "two")
    built = dist(repository, "v0.9.0", GITHUB_SERVER_URL="https://example.com", GITHUB_REPOSITORY="owner/name")
    assert built.returncode == 0, built.stderr
    assert (repository / "dist" / "RELEASE_NOTES.md").read_text().strip() == (
        "[What](https://example.com/owner/name/blob/v0.9.0/docs/api.md#new) is new."
    )
    assert (repository / "dist" / "communication_trends-0.9.0-py3-none-any.whl").exists()


def test_the_documented_commands_make_an_installation_of_the_archive_and_leave_what_was_there(repository, tmp_path):
    dist(repository)
    page = (ROOT / "docs" / "platforms.md").read_text()
    (block,) = re.findall(r"^    tar -xzf .*\n(?:    .*\n)+", page, re.MULTILINE)
    commands = textwrap.dedent(block)
    released = re.sub(r"\.dev\d+$", "", __version__)
    assert f"communication-trends-{released}.tar.gz" in commands
    commands = commands.replace(released, __version__).replace("systemctl ", "true ")
    home = tmp_path / "home"
    (home / "plugins").mkdir(parents=True)
    # without an end of line
    (home / "plugins" / ".airflowignore").write_text("theirs/")
    folders = {"AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"), "AIRFLOW__CORE__PLUGINS_FOLDER": str(home / "plugins")}
    python = f'python() {{ "{sys.executable}" "$@" --no-database; }}\n'
    run = subprocess.run(
        ["bash", "-euc", python + commands],
        cwd=repository / "dist",
        env={**os.environ, **folders, "AIRFLOW_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert f"ok      package: {__version__} in {home}/plugins/communication_trends\n" in run.stdout
    ignored = (home / "plugins" / ".airflowignore").read_text().split()
    assert ignored == ["theirs/", *(ROOT / "plugins" / ".airflowignore").read_text().split()]


def test_the_documentations_commands_have_the_version_that_is_or_will_be_released():
    pages = "".join(path.read_text() for path in (ROOT / "docs").glob("*.md"))
    named = re.findall(r"(?:communication[_-]trends-|\"v|CONTAINER_TAG=)(\d+\.\d+\.\d+)", pages)
    assert len(named) > 15
    assert set(named) == {re.sub(r"\.dev\d+$", "", __version__)}


def test_the_workflow_has_a_job_for_each_command_of_ci():
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yaml").read_text())
    commands = workflow["jobs"]["job"]["strategy"]["matrix"]["command"]
    (listed,) = re.findall(r"^COMMANDS=\(\n(.*?)^\)", (ROOT / ".ci" / "run").read_text(), re.MULTILINE | re.DOTALL)
    assert commands == re.findall(r'^\t"(.+)"$', listed, re.MULTILINE)


def test_actions_are_pinned_by_their_commit():
    for path in (ROOT / ".github" / "workflows").iterdir():
        used = re.findall(r"uses: (\S+)", path.read_text())
        assert used
        assert [action for action in used if not re.search(r"@[0-9a-f]{40}$", action)] == []
