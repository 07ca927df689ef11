"""Moodle's worksheet and Canvas's gradebook as each is downloaded, and what each makes of an upload.

The importers are written from the LMSs' own sources: Moodle's mod/assign/feedback/offline/{importgradeslib,locallib}.php
and lib/moodlelib.php, Canvas's lib/gradebook_importer.rb.
"""

import csv
import io
import re
from dataclasses import dataclass

ENGLISH = (
    "Identifier,Full name,ID number,Email address,Status,Grade,Maximum grade,Grade can be changed,"
    "Last modified (submission),Last modified (grade),Feedback comments"
)
POLISH = (
    'Identyfikator,"Pełna nazwa",Numer ID,"Adres e-mail",Status,Ocena,"Maksymalna ocena","Ocena może zostać zmieniona",'
    '"Ostatnia modyfikacja (zadanie)","Ostatnia modyfikacja (ocena)","Komentarz zwrotny"'
)
DATE = '"Monday, 16 November 2026, 10:15 AM"'


def worksheet(*, polish: bool = False, end: str = "\n", bom: bool = True, most: str = "20") -> bytes:
    """Return a worksheet of four students, as Moodle lets it be downloaded."""
    header, participant, mark = (POLISH, "Uczestnik ", ",") if polish else (ENGLISH, "Participant ", ".")
    points = f'"{most},00"' if polish else f"{most}.00"
    old = f'"12{mark}00"' if polish else "12.00"
    students = (
        f'{participant}101,"Anna Nowak",s1001,anna.nowak@example.edu,"Submitted, for grading",,',
        f'{participant}102,"Łukasz Żak",s1002,lukasz@example.edu,Submitted,{old},',
        f'{participant}103,"=Ewa ""Ewka"" Lis",s1003,ewa@example.edu,Submitted,,',
        f'{participant}104,"Jan Kos",s1004,jan@example.edu,"No submission",,',
    )
    lines = [
        header,
        *(f"{student}{points},Yes,-,{DATE},{comment}" for student, comment in zip(students, COMMENTS, strict=True)),
    ]
    return b"\xef\xbb\xbf" * bom + "".join(line + end for line in lines).encode()


COMMENTS = ("", '"<p>Dobrze,\ntak trzymać</p>"', "", "")


@dataclass(frozen=True)
class MoodleSite:
    """What an upload of a worksheet does, in one language."""

    columns: tuple[str, str, str, str]
    participant: str
    decimal: str
    most: float = 20.0

    def grades(self, content: bytes, current: dict[int, float]) -> dict[int, float]:
        """Return the grades that Moodle writes, by participant; `current` holds those it has."""
        rows = self._rows(content)
        identifier, grade, modified, _ = (rows[0].index(column) for column in self.columns)
        assert modified > grade > identifier
        taken: dict[int, float] = {}
        for row in rows[1:]:
            number = int(row[identifier][len(self.participant) :])
            value = self._unformat(row[grade])
            if value is not None and 0 <= value <= self.most and current.get(number) != value:
                taken[number] = value
        return taken

    def comments(self, content: bytes) -> dict[int, str]:
        """Return the comments that Moodle writes, by participant."""
        rows = self._rows(content)
        identifier, comment = (rows[0].index(self.columns[place]) for place in (0, 3))
        return {int(row[identifier][len(self.participant) :]): row[comment] for row in rows[1:]}

    def _rows(self, content: bytes) -> list[list[str]]:
        """csv_import_reader: commas, the same number of fields in every row, or nothing is read."""
        rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig").replace("\r\n", "\n"), newline="")))
        assert {len(row) for row in rows} == {len(rows[0])}
        return rows

    def _unformat(self, text: str) -> float | None:
        """unformat_float: spaces go, the language's decimal mark becomes a point, what follows a number is cut off."""
        found = re.match(r"-?\d*\.?\d*", text.strip().replace(" ", "").replace(self.decimal, "."))
        return float(found[0]) if found and found[0] else None


IN_ENGLISH = MoodleSite(("Identifier", "Grade", "Last modified (grade)", "Feedback comments"), "Participant ", ".")
IN_POLISH = MoodleSite(
    ("Identyfikator", "Ocena", "Ostatnia modyfikacja (ocena)", "Komentarz zwrotny"), "Uczestnik ", ","
)
HEADER = "Student,ID,SIS User ID,SIS Login ID,Section,Notes,MLP (77),CNN (78),Assignments Current Score,Final Score"
GRADEBOOK = (
    f"{HEADER}\n"
    ",,,,,,,Manual Posting,,\n"
    "    Points Possible,,,,,,10.00,20.00,(read only),(read only)\n"
    '"Nowak, Anna",501,s1001,anowak,"A and B",,9.50,,95.00,95.00\n'
    '"Żak, Łukasz",502,s1002,lzak,A,"late, twice",7.00,12.00,70.00,70.00\n'
    '"\'=Lis, Ewa",503,s1003,elis,A,,8.00,EX,80.00,80.00\n'
    '"Kos, Jan",504,s1004,jkos,A,,,N/A,,\n'
    '"Student, Test",505,,abc123,A,,,,,\n'
).encode()


def imported(content: bytes) -> dict[int, dict[str, str]]:
    """Return what Canvas reads: of each student, by id, the text in each assignment's column."""
    text = content.decode("utf-8-sig")
    rows = [
        [_normal(field) for field in row]
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text))
    ]
    header, rest = rows[0], rows[1:]
    assert "Student" in header[0] or "LastName" in header[0]
    place = header.index("Section")
    columns = {title: column for column, title in enumerate(header) if column > place and re.search(r"\(\d+\)$", title)}
    students = [row for row in rest if "Points Possible" not in row[0] and not all(map(_muted, row))]
    return {
        int(row[header.index("ID")]): {title: row[column].strip() for title, column in columns.items()}
        for row in students
    }


def _delimiter(text: str) -> str:
    """identify_delimiter: semicolons where they give more fields in each of the first lines."""
    lines = text.splitlines()[:3]
    counts = {mark: {len(next(csv.reader([line], delimiter=mark))) for line in lines} for mark in ";,"}
    semicolons, commas = (next(iter(counts[mark])) if len(counts[mark]) == 1 else 0 for mark in ";,")
    return ";" if semicolons > commas else ","


def _normal(field: str) -> str:
    """decimal_comma_to_period: the last comma or point of a number is its decimal mark."""
    if not re.fullmatch(r"-?[0-9.,]+%?", field):
        return field
    *whole, last = re.split(r"[,.]", field)
    return f"{''.join(whole)}.{last}" if whole else last


def _muted(field: str) -> bool:
    return re.fullmatch(r"\s*(Muted|Manual Posting.*)?\s*", field, re.IGNORECASE) is not None
