"""What the package needs: imported before anything of Airflow, to say what is too old, missing or cannot be used."""

from __future__ import annotations

import importlib.metadata
import re
from pathlib import Path

import airflow
from airflow.configuration import conf

from communication_trends import __version__
from communication_trends.core.errors import InvalidInputError

DISTRIBUTION = "communication-trends"
"""The wheel's name."""

OLDEST_AIRFLOW = "2.11"

REFUSED_AIRFLOW = dict.fromkeys(
    ["3.0.0", "3.0.1"],
    "cannot hand over what mapped task instances have reported, so that the summary of a run would be wrong",
)
"""Versions among the supported ones that cannot run the package, each with the reason."""

UPGRADE_TO = "3.0.6"
"""What to upgrade them to, at least: the last patch of their minor version."""

OLDEST_PACKAGES = {
    "apache-airflow-providers-postgres": "5.14.0",
    "httpx": "0",
}
"""What this package imports besides Airflow, each with the oldest version that will do."""


def check_installation() -> None:
    """
    Say in one sentence what to install or upgrade, before an import fails with a name that explains nothing.

    :raises ImportError: when Airflow or a package is too old, a package is missing, or this Airflow has a fault that
        the package cannot work around.
    """
    if _numbers(airflow.__version__) < _numbers(OLDEST_AIRFLOW):
        raise ImportError(
            f"communication_trends needs Airflow {OLDEST_AIRFLOW} or newer; {airflow.__version__} is installed: "
            f"upgrade Airflow."
        )
    if reason := REFUSED_AIRFLOW.get(airflow.__version__):
        raise ImportError(
            f"communication_trends does not run on Airflow {airflow.__version__}, which {reason}: upgrade Airflow to "
            f"{UPGRADE_TO} or newer."
        )
    for package, oldest in OLDEST_PACKAGES.items():
        wanted = f"{package}>={oldest}" if oldest != "0" else package
        version = installed_version(package)
        if version is None:
            raise ImportError(f"communication_trends needs {package}, which is not installed: pip install '{wanted}'.")
        if _numbers(version) < _numbers(oldest):
            raise ImportError(
                f"communication_trends needs {package} {oldest} or newer; {version} is installed: "
                f"pip install --upgrade '{wanted}'."
            )


def installed_version(package: str) -> str | None:
    """Return the version of a package that pip has installed here; None where it has not."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def check_sql_release(folder: Path) -> None:
    """
    Refuse SQL that is not of the package's release.

    :param folder: a folder with the ``.sql`` templates.
    :raises InvalidInputError: when its ``VERSION`` differs or is not there.
    """
    try:
        version = (folder / "VERSION").read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        version = "one before 0.2.0"
    except (OSError, ValueError) as error:
        raise InvalidInputError(f"sql_path: {folder / 'VERSION'} cannot be read: {error}") from error
    if version != __version__:
        raise InvalidInputError(
            f"The SQL in {folder} is of release {version[:60]}, the package communication_trends of release "
            f"{__version__}: take DAGs, plugins and SQL from the same release, and restart all components."
        )


def is_wheel() -> bool:
    """Return whether this is the package of an installed wheel, not the one of a folder."""
    # with the plugin file next to it: seen at once, while each task process would search all that is installed
    if Path(__file__).parents[1].joinpath("communication_trends_plugin.py").is_file():
        return False
    wheel = _wheel()
    return wheel is not None and _package_of(wheel).resolve() == Path(__file__).parent.resolve()


def installed_twice() -> str | None:
    """
    Say which copy of the package is used where there is a second one: a wheel, and a folder in the plugins folder.

    Python decides: what was installed comes before the plugins folder, unless PYTHONPATH has that one.
    """
    used = Path(__file__).parent.resolve()
    others = {Path(conf.get("core", "plugins_folder")) / used.name: "the copy in the plugins folder"}
    if wheel := _wheel():
        others[_package_of(wheel)] = f"the wheel ({wheel.version})"
    for path, what in others.items():
        if path.resolve() != used and (path / "__init__.py").is_file():
            return (
                f"communication_trends is installed twice: {used} ({__version__}) is used, {path} is not. Remove "
                f"{what}, or the other one, and restart this component."
            )
    return None


def _wheel() -> importlib.metadata.Distribution | None:
    try:
        return importlib.metadata.distribution(DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError:
        return None


def _package_of(wheel: importlib.metadata.Distribution) -> Path:
    return Path(str(wheel.locate_file("communication_trends")))


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])


check_installation()
