"""A sentiment column of type json may hold what PostgreSQL cannot take out of it: such a message has no tone."""

from __future__ import annotations

import psycopg
import pytest

TONE = r"""
case
    when pg_typeof(messages.sentiment) = 'jsonb'::regtype
    or strpos(messages.sentiment::text, '\u') = 0
    or messages.sentiment::text ~ (
        '^([^\\]|\\[^u]|\\u(?!0000|[dD][89a-fA-F])....'
        || '|\\u[dD][89abAB]..\\u[dD][c-fC-F]..)*$'
    )
        then messages.sentiment ->> 'tone'
end
"""

READABLE = {
    "a tone": (r'{"tone": "calm"}', "calm"),
    "the last of two": (r'{"tone": "a", "tone": "b"}', "b"),
    "a number": (r'{"tone": 5}', "5"),
    "a boolean": (r'{"tone": true}', "true"),
    "an object": (r'{"tone": {"a": 1}}', '{"a": 1}'),
    "an empty one": (r'{"tone": ""}', ""),
    "null": (r'{"tone": null}', None),
    "no tone": (r'{"score": 1}', None),
    "a deeper one": (r'{"score": {"tone": "calm"}}', None),
    "a text": (r'"tone"', None),
    "a number alone": (r"7", None),
    "an array": (r'["tone"]', None),
    "null alone": (r"null", None),
    "a line break": ('{\n"tone":\n"calm"\n}', "calm"),
    "an escaped letter": (r'{"tone": "caf\u00e9"}', "café"),
    "an escaped key": (r'{"t\u006fne": "calm"}', "calm"),
    "an escaped pair": (r'{"tone": "\uD83D\ude00"}', "\U0001f600"),
    "two pairs": (r'{"tone": "\ud83d\ude00\ud83d\ude00"}', "\U0001f600\U0001f600"),
    "the last characters before and after the surrogates": (r'{"tone": "\ud7ff\ue000"}', "\ud7ff\ue000"),
    "an escaped backslash before u0000": (r'{"tone": "\\u0000"}', r"\u0000"),
    "two of them": (r'{"tone": "\\\\u0000"}', r"\\u0000"),
    "an escaped backslash before ud800": (r'{"tone": "\\ud800"}', r"\ud800"),
    "an escaped quote before u0000": (r'{"tone": "\"u0000"}', '"u0000'),
}
UNREADABLE = {
    "NUL": r'{"tone": "\u0000"}',
    "NUL after an escaped backslash": r'{"tone": "\\\u0000"}',
    "NUL under another key": r'{"tone": "calm", "note": "\u0000"}',
    "NUL in a key": r'{"\u0000": 1, "tone": "calm"}',
    "NUL deeper": r'{"tone": "calm", "note": [{"a": "\u0000"}]}',
    "a high surrogate alone": r'{"tone": "\ud83d"}',
    "a low surrogate alone": r'{"tone": "\udE00"}',
    "a reversed pair": r'{"tone": "\ude00\ud83d"}',
    "a high surrogate before a letter": r'{"tone": "\ud83dx"}',
    "a high surrogate before an escape": r'{"tone": "\ud83d\n"}',
    "a high surrogate before a pair": r'{"tone": "\ud83d\ud83d\ude00"}',
    "a pair with an escaped backslash in it": r'{"tone": "\ud83d\\ude00"}',
    "a low surrogate after a pair": r'{"tone": "\ud83d\ude00\ude00"}',
}


def tones(database, kind: str, *documents: str) -> list[str | None]:
    """Return the tone of each document, from a column of that type."""
    connection = database.connection
    connection.execute(f"create temporary table messages (number serial, sentiment {kind})")
    for document in documents:
        connection.execute("insert into messages (sentiment) values (%s)", [document])
    rows = connection.execute(f"select {TONE} as tone from messages order by number").fetchall()
    return [row["tone"] for row in rows]


@pytest.mark.parametrize("kind", ["json", "jsonb"])
def test_every_tone_that_can_be_read_counts(database, kind):
    documents, expected = zip(*READABLE.values(), strict=True)
    assert dict(zip(READABLE, tones(database, kind, *documents), strict=True)) == dict(
        zip(READABLE, expected, strict=True)
    )


def test_a_document_that_cannot_be_read_has_no_tone(database):
    found = tones(database, "json", *UNREADABLE.values())
    assert dict(zip(UNREADABLE, found, strict=True)) == dict.fromkeys(UNREADABLE)


@pytest.mark.parametrize("document", UNREADABLE.values(), ids=UNREADABLE)
def test_postgresql_itself_refuses_exactly_those(database, document):
    with pytest.raises((psycopg.errors.UntranslatableCharacter, psycopg.errors.InvalidTextRepresentation)):
        database.connection.execute("select %s::json ->> 'tone'", [document])


def test_a_missing_sentiment_has_no_tone_and_a_domain_of_json_is_read_like_json(database):
    assert tones(database, "json", None) == [None]  # type: ignore[arg-type]
    database.connection.execute("drop table messages; create domain document as json")
    assert tones(database, "document", '{"tone": "calm"}', r'{"tone": "\u0000"}') == ["calm", None]
