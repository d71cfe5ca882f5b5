"""Registers the package with Airflow, where it is in the plugins folder."""

from __future__ import annotations

from communication_trends import plugin, requirements

# where an installed wheel is what Python imports, the wheel's entry point registers the plugin
if not requirements.is_wheel():
    CommunicationTrendsPlugin = plugin.CommunicationTrendsPlugin
