"""The words of manual and code: those that have been replaced do not come back."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from local import ROOT

REPLACED = [
    # pattern, what it is to notice, what to write instead
    (r"mend(s|ed|ing)?", "what mends it", "fix, repair, remedy"),
    (r"(held|hold|holds|holding) (\w+ )?against", "held against each other", "checked against, compared with"),
    (r"made good", "is made good by the next run", "repaired by"),
    (r"heal(s|ed|ing)?", "a history that heals", "repaired"),
    (r"(ran|run|runs|running) hot", "channels that ran hot", "hotspot"),
    (r"hot channels?", "hot channels", "hotspots"),
    (r"anew", "is computed anew", "again, re-"),
    (r"figures", "the figures of the range", "metrics, counts, totals, numbers"),
    (r"in vain", "waited in vain", "without success"),
    (r"in turns", "measured in turns", "interleaved"),
    (r"beside", "beside the folder", "next to, besides"),
    (r"meanwhile", "meanwhile", "in the meantime, during that time"),
    (r"for ever", "for ever", "forever"),
    (r"somebody( else)?( who)?", "somebody who reads it", "a user, anyone who"),
    (r"whoever", "whoever may read it", "anyone who"),
    (r"nights?", "a night that was missed", "scheduled run"),
    (r"lanes?", "the lanes of CI", "CI job"),
    (r"(a|the|its|first|second|next|later) (try|tries)", "its second try", "attempt"),
    (r"toned", "toned messages", "messages with a tone"),
    (r"refused by name", "is refused by name", "rejected with an error that names the field"),
    (r"stored and equal", "was found stored and equal", "already up to date"),
    (r"com(e|es|ing) out (differently|equal)", "comes out differently", "out of date; up to date"),
    (r"(was|were|be|made) kept,? since", "was kept, since", "not overwritten, because"),
    (r"half as high again", "half as high again", "1.5×"),
    (r"unusual for nothing", "called unusual for nothing", "false positive"),
    (r"scatters? alike", "these scatter alike", "have constant variance"),
    (r"the present (one|day|moment)", "the present day", "today, the current one"),
    (r"period behind", "the period behind", "last completed period"),
    (r"br(ings|ought) nothing", "it brings nothing", "makes no difference"),
    (r"wants to be", "it wants to be root", "needs to be"),
    (r"behaviours?|colours?|centre|organisations?|recognised?|labelled|misspelt", "behaviour", "US spelling"),
]
"""Only what is never right: a word that is good English elsewhere has no place here."""

SPACED_PERCENT = re.compile(r"\d %(?! \()")

PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "bench/README.md")),
    *sorted(ROOT.glob("docs/**/*.md")),
    *sorted(ROOT.glob(".github/**/*.md")),
]
"""Pages for people. The changelog is not read: it is history."""

CODE = ("Makefile", ".ci", "dags", "plugins", "sql", "local", "demo", "bench", "tests")
"""Names, comments, messages: all of their text is read. Not this file, which has the words."""

_ANY = re.compile("|".join(pattern for pattern, *_ in REPLACED), re.IGNORECASE)


def prose(text: str) -> str:
    """Return the text of a page without what is quoted: blocks of code, code within lines, addresses of links."""
    for quoted in (r"^```[^`]*^```", r"^ {4,}.*$", r"`[^`\n]*`", r"\]\([^)\n]*\)"):
        # what is left has the same line numbers
        text = re.sub(quoted, lambda match: " " + "\n" * match[0].count("\n"), text, flags=re.MULTILINE)
    return text


def words_of_names(text: str) -> str:
    """Return code with the words of its names apart: snake_case and camelCase."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text.replace("_", " "))


def replaced_words(text: str) -> list[str]:
    """Return each replaced word that a text has, with its line and with what to write instead."""
    found: list[str] = []
    if not _ANY.search(text):
        return found
    for pattern, _, instead in REPLACED:
        for match in re.finditer(rf"(?<![\w-])(?:{pattern})(?![\w-])", text, re.IGNORECASE):
            found.append(f"line {text.count(chr(10), 0, match.start()) + 1}: {match[0]!r}: {instead}")
    return found


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_replaced_word_has_come_back(path: Path):
    text = prose(path.read_text(encoding="utf-8"))
    assert replaced_words(text) == []
    assert SPACED_PERCENT.findall(text) == [], "a percentage has no space: 41%"


@pytest.mark.parametrize("folder", CODE)
def test_no_replaced_word_is_in_the_code(folder: str):
    found, read = {}, 0
    for path in [ROOT / folder, *(ROOT / folder).rglob("*")]:
        is_code = path.suffix in {"", ".py", ".sql", ".js"} and path != Path(__file__)
        if path.is_file() and is_code:
            name, read = str(path.relative_to(ROOT)), read + 1
            words = replaced_words(words_of_names(path.read_text(encoding="utf-8")))
            found.update({name: words} if words else {})
    assert read
    assert found == {}


@pytest.mark.parametrize(("pattern", "example", "instead"), REPLACED)
def test_each_replaced_word_is_noticed_and_its_replacement_is_not(pattern, example, instead):
    assert any(instead in found for found in replaced_words(f"It is {example.capitalize()}, and so on."))
    assert replaced_words(instead) == []


def test_what_is_quoted_is_not_read():
    page = "A `mended` word.\n\n    mend this\n\n```\nanew\n```\n[a link](#mended), 41 %"
    assert replaced_words(prose(page)) == []
    assert SPACED_PERCENT.findall(prose(page)) == ["1 %"]


def test_words_are_found_in_names_too():
    assert len(replaced_words(words_of_names("def test_it_heals_anew(): isMended = NIGHT"))) == 4
