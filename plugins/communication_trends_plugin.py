"""Registers the package with Airflow, where it is in the plugins folder."""

from __future__ import annotations

from pathlib import Path

from communication_trends import plugin

# where an installed wheel is what Python imports, the wheel's entry point registers the plugin
if Path(plugin.__file__).resolve().parents[1] == Path(__file__).resolve().parent:
    CommunicationTrendsPlugin = plugin.CommunicationTrendsPlugin
