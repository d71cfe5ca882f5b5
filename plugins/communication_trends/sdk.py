"""
Airflow's own names, wherever the installed version has them: the rest of the package imports them from here.

They are those of Airflow's provider common-compat. What some services pin together with Airflow 2.11 and 3.0 is too old
to have them: then they are looked for in Airflow itself.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

# for the types alone: __getattr__ finds what the others import
# ruff: noqa: F401
if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import (
        DAG,
        AirflowException,
        AirflowFailException,
        AirflowNotFoundException,
        AirflowOptionalProviderFeatureException,
        AirflowPlugin,
        AirflowTaskTimeout,
        Asset,
        BaseHook,
        BaseNotifier,
        BaseOperator,
        Param,
        Stats,
        TriggerRule,
        XComArg,
        conf,
        get_parsing_context,
    )

_COMPAT = "airflow.providers.common.compat.sdk"

_EXCEPTIONS = ("airflow.sdk.exceptions", "airflow.exceptions")

_PLACES = {
    "DAG": ("airflow.sdk", "airflow.models.dag"),
    "AirflowException": _EXCEPTIONS,
    "AirflowFailException": _EXCEPTIONS,
    "AirflowNotFoundException": _EXCEPTIONS,
    "AirflowOptionalProviderFeatureException": _EXCEPTIONS,
    "AirflowPlugin": ("airflow.sdk.plugins_manager", "airflow.plugins_manager"),
    "AirflowTaskTimeout": _EXCEPTIONS,
    "Asset": ("airflow.sdk", "airflow.datasets"),
    "BaseHook": ("airflow.sdk", "airflow.hooks.base"),
    "BaseNotifier": ("airflow.sdk", "airflow.notifications.basenotifier"),
    "BaseOperator": ("airflow.sdk", "airflow.models.baseoperator"),
    "Param": ("airflow.sdk", "airflow.models.param"),
    "Stats": ("airflow.sdk.observability.stats", "airflow.observability.stats", "airflow.stats"),
    "TriggerRule": ("airflow.sdk", "airflow.utils.trigger_rule"),
    "XComArg": ("airflow.sdk", "airflow.models.xcom_arg"),
    "conf": ("airflow.sdk.configuration", "airflow.configuration"),
    "get_parsing_context": ("airflow.sdk", "airflow.utils.dag_parsing_context"),
}
"""Where each name is without common-compat, the newest version's place first."""

_AIRFLOW_2_NAMES = {"Asset": "Dataset"}


def __getattr__(name: str) -> Any:
    """Return one of the names, found when it is first asked for: no process pays for what it does not use."""
    for place in (_COMPAT, *_PLACES[name]) if name in _PLACES else ():
        try:
            module = importlib.import_module(place)
        except ImportError:
            continue
        for known in (name, _AIRFLOW_2_NAMES.get(name)):
            if known and hasattr(module, known):
                globals()[name] = getattr(module, known)
                return globals()[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
