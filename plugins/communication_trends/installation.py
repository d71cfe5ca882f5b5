"""What the package needs beside Airflow: imported before anything of Airflow, to say what is too old or missing."""

from __future__ import annotations

import importlib.metadata
import re

import airflow

OLDEST_AIRFLOW = "2.11"

OLDEST_PACKAGES = {
    # has all that this package imports through it
    "apache-airflow-providers-common-compat": "1.13.0",
    "apache-airflow-providers-postgres": "0",
    "httpx": "0",
}
"""What this package imports beside Airflow, each with the oldest version that will do."""


def check_installation() -> None:
    """
    Say in one sentence what to install or upgrade, before an import fails with a name that means nothing to anybody.

    :raises ImportError: when Airflow or a package is too old, or a package is missing.
    """
    if _numbers(airflow.__version__) < _numbers(OLDEST_AIRFLOW):
        raise ImportError(
            f"communication_trends needs Airflow {OLDEST_AIRFLOW} or newer; {airflow.__version__} is installed: "
            f"upgrade Airflow."
        )
    for package, oldest in OLDEST_PACKAGES.items():
        wanted = f"{package}>={oldest}" if oldest != "0" else package
        try:
            version = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            raise ImportError(
                f"communication_trends needs {package}, which is not installed: pip install '{wanted}'."
            ) from None
        if _numbers(version) < _numbers(oldest):
            raise ImportError(
                f"communication_trends needs {package} {oldest} or newer; {version} is installed: "
                f"pip install --upgrade '{wanted}'."
            )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])


check_installation()
