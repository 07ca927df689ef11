"""A CSV file comes back byte for byte but for the cells filled in. The oracle is Python's own `csv`."""

import csv
import io
from codecs import BOM_UTF8

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograder.engine.errors import SplotError
from autograder.engine.lms.sheet import Sheet, number

TEXTS = st.text(st.sampled_from('ab ż,;\t"\n=@'), max_size=6)  # csv.writer leaves a lone \r unquoted
TABLES = st.integers(2, 4).flatmap(
    lambda width: st.lists(st.lists(TEXTS, min_size=width, max_size=width), min_size=2, max_size=4)
)
DIALECTS = st.tuples(st.sampled_from(",;\t"), st.sampled_from(["\n", "\r\n"]), st.sampled_from([0, 1]))


def written(table: list[list[str]], dialect: tuple[str, str, int]) -> bytes:
    """Return a table as some LMS may write it, below a header that shows its delimiter."""
    delimiter, end, quoting = dialect
    file = io.StringIO(newline="")
    writer = csv.writer(
        file, delimiter=delimiter, lineterminator=end, quoting=(csv.QUOTE_MINIMAL, csv.QUOTE_ALL)[quoting]
    )
    writer.writerows([[f"column {n}" for n in range(len(table[0]))], *table])
    return file.getvalue().encode()


def read(raw: bytes, delimiter: str) -> list[list[str]]:
    """Read it with Python's `csv`."""
    return list(csv.reader(io.StringIO(raw.decode("utf-8-sig"), newline=""), delimiter=delimiter))


@settings(max_examples=150, derandomize=True, deadline=None)
@given(TABLES, DIALECTS, st.booleans())
def test_a_file_with_nothing_filled_in_comes_back_as_it_was(
    table: list[list[str]], dialect: tuple[str, str, int], bom: bool
) -> None:
    """Quotes, delimiter, line ends and byte order mark; and each cell says what `csv` reads there."""
    raw = BOM_UTF8 * bom + written(table, dialect)
    sheet = Sheet.parse(raw, "x")
    assert sheet.filled({}) == raw
    texts = [[sheet.text((row, column)) for column in range(len(cells))] for row, cells in enumerate(sheet.rows)]
    assert texts == read(raw, dialect[0])


@settings(max_examples=150, derandomize=True, deadline=None)
@given(TABLES, DIALECTS, TEXTS, st.data())
def test_only_the_cell_filled_in_differs(
    table: list[list[str]], dialect: tuple[str, str, int], text: str, data: st.DataObject
) -> None:
    """Whatever the text, it is read back, and every other cell, in its own bytes, stays."""
    raw = written(table, dialect)
    sheet = Sheet.parse(raw, "x")
    place = data.draw(st.integers(1, len(table))), data.draw(st.integers(0, len(table[0]) - 1))
    expected = read(raw, dialect[0])
    expected[place[0]][place[1]] = text
    filled = sheet.filled({place: text})
    assert read(filled, dialect[0]) == expected
    again = Sheet.parse(filled, "x")
    kept = [
        (row, column) for row, cells in enumerate(sheet.rows) for column in range(len(cells)) if (row, column) != place
    ]
    assert all(again.rows[row][column] == sheet.rows[row][column] for row, column in kept)
    assert again.ends == sheet.ends


@pytest.mark.parametrize(
    "raw",
    [
        b"a,b\n1,2",
        b"a,b\n1,2\n",
        b"a,b\n1,2\n\n",
        b"a,b\n\n1,2\n",
        b"a,b\n1,",
        b"a,b\r1,2\r",
        b'a,b\n"1"x,2\n',
        b'a,b\r\n"1\r\n2",3\r\n',
    ],
)
def test_odd_ends_and_quotes_come_back(raw: bytes) -> None:
    """No line end is added or lost, blank lines stay, and a quote that goes on is read as `csv` reads it."""
    sheet = Sheet.parse(raw, "x")
    assert sheet.filled({}) == raw
    assert [sheet.text((1, 0)), sheet.text((len(sheet.rows) - 1, 1))] == [
        (read(raw, ",")[1] or [""])[0],
        (read(raw, ",")[-1] or ["", ""])[1],
    ]


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [("Imię;Ocena\nŁucja;1".encode("cp1250"), "not UTF-8"), (b"", "empty"), (BOM_UTF8 + b"\r\n", "empty")],
)
def test_what_is_no_such_file_is_refused_in_a_sentence(raw: bytes, sentence: str) -> None:
    """A spreadsheet program's own encoding is named as such, not guessed."""
    with pytest.raises(SplotError, match=sentence):
        Sheet.parse(raw, "The worksheet")


@pytest.mark.parametrize(
    ("text", "value"),
    [("17.5", 17.5), ("17,50", 17.5), (" 1 000,25", 1000.25), ("-", None), ("", None), ("nan", None), ("1e999", None)],
)
def test_numbers_are_read_with_point_or_comma(text: str, value: float | None) -> None:
    """As LMSs in both languages write them; nothing else is a number."""
    assert number(text) == value
