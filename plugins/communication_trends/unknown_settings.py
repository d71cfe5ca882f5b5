"""Settings that nothing reads: a name that is misspelled would otherwise be ignored silently."""

from __future__ import annotations

import difflib
import os
import re

from communication_trends.sdk import conf

from communication_trends.core.errors import InvalidInputError
from communication_trends.provider_info import DEFAULTS, SECTION

VARIABLE = f"AIRFLOW__{SECTION.upper()}__"
"""What the environment variables of the settings begin with."""

MIN_LIKENESS = 0.9
"""From which ratio of `difflib` on the name of a section is taken for a misspelled one."""

_LIKE_SECTION: difflib.SequenceMatcher[str] = difflib.SequenceMatcher(b=SECTION)


def refuse_unknown_settings() -> None:
    """
    Refuse a setting that nothing reads, which is mostly a misspelled one: in airflow.cfg or in the environment.

    :raises InvalidInputError: names each, with the setting that it is most like.
    """
    wrong = []
    for section in conf.sections():
        is_ours = _is_like_section(section)
        for name in conf.options(section):
            if _is_misplaced(section, name) or (is_ours and not _is_known(section, name)):
                wrong.append((f"[{section}] {name}", name, f"[{SECTION}] %s"))
    for variable in sorted(os.environ):
        if name := _misspelled_name(variable):
            # as Airflow wants it: upper case
            wrong.append((variable, name, f"{VARIABLE}%s"))
    if not wrong:
        return
    problems = []
    for given, name, right in wrong:
        nearest = difflib.get_close_matches(name.lower(), DEFAULTS, 1, cutoff=0.5)
        meant = right % (nearest[0].upper() if right.startswith(VARIABLE) else nearest[0]) if nearest else ""
        problems.append(f"{given}: there is no such setting" + (f", the nearest is {meant}." if meant else "."))
    raise InvalidInputError(" ".join(problems) + " Correct or remove it.")


def _is_like_section(name: str) -> bool:
    # the second sequence is analyzed once; most names are too long or too short, which each task process finds first
    _LIKE_SECTION.set_seq1(name.lower())
    return _LIKE_SECTION.real_quick_ratio() >= MIN_LIKENESS and _LIKE_SECTION.ratio() >= MIN_LIKENESS


def _is_misplaced(section: str, name: str) -> bool:
    """Whether a setting of ours is in a section of Airflow's own, such as the last one of airflow.cfg."""
    # first what costs nothing: each task process asks this of each option
    if name not in DEFAULTS or section == SECTION:
        return False
    described = conf.configuration_description
    return section in described and name not in described[section]["options"]


def _is_known(section: str, name: str) -> bool:
    """Whether Airflow reads the name as a setting of ours; …_cmd and …_secret too, where it may be a secret."""
    base = re.sub("_(cmd|secret)$", "", name)
    return section == SECTION and (name in DEFAULTS or (SECTION, base) in conf.sensitive_config_values)


def _misspelled_name(variable: str) -> str | None:
    """Return the setting that an environment variable seems to be meant for, if nothing reads the variable."""
    name = variable.removeprefix(VARIABLE)
    # Airflow asks for it in upper case
    if name != variable and name.isupper() and _is_known(SECTION, name.lower()):
        return None
    if found := re.fullmatch("(?i)AIRFLOW_+(?!CONN_|VAR_)(.+?)__+(.+)", variable):
        return found[2] if _is_like_section(found[1]) else None
    # with single underscores it may not be ours: Kubernetes makes AIRFLOW_COMMUNICATION_TRENDS_SERVICE_HOST
    found = re.fullmatch(f"(?i)AIRFLOW_+{SECTION}_(.+)", variable)
    return found[1] if found and difflib.get_close_matches(found[1].lower(), DEFAULTS, 1, cutoff=0.8) else None
