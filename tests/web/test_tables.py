"""CSV: every field quoted, and nothing that a spreadsheet runs, however it splits the fields."""

from __future__ import annotations

import csv
import io
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from communication_trends.web.csv_export import csv_text

DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("=1+1", "'=1+1"),
        ("  @SUM(A1)", "'  @SUM(A1)"),
        ("x;=1+1;", "x;'=1+1;"),
        ('x";=1+1', "x\";'=1+1"),
        ('"=1+1', "\"'=1+1"),
        ("\t=1+1", "'\t'=1+1"),
        ("a|-2", "a|'-2"),
        ("one\n=2", "one\n'=2"),
        ("＝1", "'＝1"),
        ("2026-11-01", "2026-11-01"),
        ("C-support, late", "C-support, late"),
        ("it's", "it's"),
    ],
)
def test_texts_that_could_be_formulas(text, expected):
    [_, [cell]] = csv.reader(io.StringIO(csv_text(["name"], [{"name": text}]).removeprefix("\ufeff")))
    assert cell == expected


@given(st.lists(st.text(alphabet="=+-@ \t;,|\"'ax1\r\n", max_size=12), min_size=1, max_size=3))
def test_no_field_begins_as_a_formula_whatever_it_is_split_at(texts):
    columns = [f"c{number}" for number in range(len(texts))]
    table = csv_text(columns, [dict(zip(columns, texts, strict=True))]).removeprefix("\ufeff")
    [_, cells] = csv.reader(io.StringIO(table, newline=""))
    for cell in cells:
        assert not cell.startswith(DANGEROUS)
    # a spreadsheet with another separator takes quotes only at the start of a field
    for separator in ";,|\t":
        for line in table.split("\r\n"):
            for cell in line.split(separator):
                assert not cell.strip().strip('"').strip().startswith(("=", "+", "-", "@"))


@pytest.mark.parametrize("text", ["\n", " \n", "\t \r", ";", "; ", "\n\u2003", " " * 7 + "\n"])
def test_a_long_text_takes_no_longer_than_its_length(text):
    started = time.process_time()
    csv_text(["name"], [{"name": text * (200_000 // len(text)) + "x"}])
    assert time.process_time() - started < 2


def test_each_of_many_line_breaks_is_a_beginning():
    text = csv_text(["name"], [{"name": "\n" * 60_000}]).removeprefix("\ufeff")
    [_, [cell]] = csv.reader(io.StringIO(text, newline=""))
    assert cell == "'\n" * 60_000


def test_numbers_stay_numbers_and_every_field_is_quoted():
    text = csv_text(["a", "b", "c"], [{"a": -1.5, "b": None, "c": True}])
    assert text == '\ufeff"a","b","c"\r\n"-1.5","","true"\r\n'
