"""Messages to people, as plain text and as HTML, in which no name does anything. No Airflow in here."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

MAX_NAME_LENGTH = 80
"""Characters of a name at most; longer ones are cut."""

# look-alikes for what chat programs act on: Slack's <!channel>, Discord's @everyone
_HARMLESS = str.maketrans({"<": "‹", ">": "›", "@": "＠"})


@dataclass(frozen=True)
class Line:
    """
    One entry of a message.

    :param text: what it says; ours, but for topics and named days.
    :param name: whom it is about; any text.
    :param url: where to read more.
    """

    text: str
    name: str | None = None
    url: str | None = None


@dataclass(frozen=True)
class Message:
    """
    What a notifier's templates see, as ``attention`` or ``digest``.

    :param subject: one line, without names.
    :param sections: headings with their lines.
    :param url: the page; None where Airflow does not know its address.
    :param findings: the anomalies, as in the summary.
    """

    subject: str
    sections: Sequence[tuple[str, Sequence[Line]]]
    url: str | None
    findings: Sequence[Mapping[str, Any]] = field(default_factory=list)

    @property
    def text(self) -> str:
        """As plain text, in which no name is a command to a chat program."""
        parts = [self.subject]
        for heading, lines in self.sections:
            named = [
                f"- {f'{printable(one.name)}: ' if one.name else ''}{one.text}".translate(_HARMLESS) for one in lines
            ]
            parts.append("\n".join([heading, *named]))
        return "\n\n".join([*parts, self.url] if self.url else parts)

    @property
    def html(self) -> str:
        """As HTML, in which no name is markup."""
        parts = [f"<h2>{html.escape(self.subject)}</h2>"]
        for heading, lines in self.sections:
            parts.append(f"<h3>{html.escape(heading)}</h3>\n<ul>")
            parts += [f"<li>{_html_name(one)}{html.escape(one.text)}</li>" for one in lines]
            parts.append("</ul>")
        if self.url:
            parts.append(f'<p><a href="{html.escape(self.url)}">{html.escape(self.url)}</a></p>')
        return "\n".join(parts)


def _html_name(line: Line) -> str:
    if not line.name:
        return ""
    name = f"<b>{html.escape(printable(line.name))}</b>"
    return f'<a href="{html.escape(line.url)}">{name}</a>: ' if line.url else f"{name}: "


def printable(name: str) -> str:
    """Return a name in one line, without what turns or hides other text, and not too long."""
    plain = " ".join("".join(char if char.isprintable() else " " for char in name).split()) or "(no name)"
    return plain if len(plain) <= MAX_NAME_LENGTH else plain[: MAX_NAME_LENGTH - 1] + "…"
