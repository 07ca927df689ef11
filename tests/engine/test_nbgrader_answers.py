"""A written answer in formgrader: pasted pictures are shown, what could run is not, and its cost is bounded."""

import base64
import time
from pathlib import Path

import nbformat
import pytest
from nbconvert.exporters import HTMLExporter
from nbconvert.filters import markdown2html
from nbformat.v4 import new_markdown_cell, new_notebook

from autograder.engine.nbgrader.settings import Splot
from autograder.engine.nbgrader.submitted import MAX_EMBEDDED, RenderBudget, read_notebook, safe_markdown, shown
from autograder.engine.notebook.assignment import load_assignment
from autograder.engine.notebook.reading import Picture, pasted
from tests.pasted_pictures import noise, picture
from tests.submissions import build

PNG = picture()
JPEG = picture("JPEG")
SVG = base64.b64encode(b'<svg onload="canary()"></svg>').decode()


def rendered(source: str, pictures: tuple[Picture, ...] = ()) -> str:
    """Return a cell as nbconvert renders it for formgrader."""
    text, attachments = shown(source, pictures, RenderBudget())
    cell = new_markdown_cell(text, attachments=attachments)
    return page_of(new_notebook(cells=[cell]))


def page_of(notebook: nbformat.NotebookNode) -> str:
    """Return a notebook as nbconvert renders it."""
    exporter = HTMLExporter(template_name="basic")  # type: ignore[no-untyped-call]
    page: str = exporter.from_notebook_node(notebook)[0]
    return page


@pytest.mark.parametrize(
    ("name", "link"),
    [
        ("image.png", "![x](attachment:image.png)"),
        ("image.png", '![x](attachment:image.png "tytuł")'),
        ("image.png", "![x][a]\n\n[a]: attachment:image.png"),
        ("zrzut ekranu (1).png", "![x](attachment:zrzut%20ekranu%20(1).png)"),
        ("wykres ż.png", "![x](attachment:wykres ż.png)"),
        ("wykres ż.png", "![x](attachment:wykres%20%C5%BC.png)"),
        ("6f9619ff-8b86.png", "tekst ![x](attachment:6f9619ff-8b86.png) i ![y](attachment:6f9619ff-8b86.png)"),
    ],
)
def test_a_pasted_picture_is_shown(name: str, link: str) -> None:
    """Whatever its name and the way of writing the link."""
    pictures, dropped = pasted({name: {"image/png": PNG}})
    assert not dropped
    assert f"data:image/png;base64,{PNG}" in rendered(link, pictures)


@pytest.mark.parametrize(
    "source",
    [
        "![x](attachment:b.png)",
        "![x](attachment:picture-2.png)",
        "![x](attachment:)",
        "![x]( attachment:b.png)",
        "![x](attachment:image.png.svg)",
        "![x][a]\n\n[a]: attachment:b.png",
        "![x][a]\n\n[a]: attachment:image.png)",
        "![x][a]\n\n[a]:\nattachment:b.png",
        "> ![x](<attachment:b.png>)",
        "![x](&#97;ttachment:b.png)",
        "![x](attachment\\:b.png)",
    ],
)
def test_a_link_to_no_picture_is_text(source: str) -> None:
    """A notebook is refused by nbconvert that names an attachment it does not have: no link of that kind is left."""
    assert rendered(source)
    assert rendered(source, (Picture("image.png", "image/png", PNG),))


@pytest.mark.parametrize(
    "bundle",
    [
        {"image/svg+xml": SVG},
        {"image/png": SVG},
        {"text/html": "<b onclick=canary>"},
        {"image/png": '"><b onclick=canary>'},
        {"image/png": PNG + "====" + PNG},
        {"image/png": None},
        {"image/png": "A" * 9_000_000},
        {"image/png": picture("GIF")},
        {"image/png": picture("PNG", 40_000, 1_001)},  # 5 kB that a browser would have to hold as 160 MB
        {"image/png": picture("PNG", 200_000, 1_000)},
        {"image/png": base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(22)).decode()},
        ["image/png"],
        7,
    ],
)
def test_what_is_no_picture_is_left_out(bundle: object) -> None:
    """SVG and HTML can run, whatever they claim to be; what is malformed or too large goes too, and is told."""
    assert pasted({"a.png": bundle}) == ((), True)


def test_pictures_are_told_by_their_bytes() -> None:
    """A JPEG that claims to be PNG is carried over as JPEG, lines joined; at most twenty, and the others are told."""
    assert pasted({"a": {"image/png": [JPEG[:8] + "\n", JPEG[8:]]}}) == ((Picture("a", "image/jpeg", JPEG),), False)
    pictures, dropped = pasted({str(n): {"image/png": PNG} for n in range(21)})
    assert (len(pictures), dropped) == (20, True)
    nothing: tuple[object, ...] = (None, [], "x", {})
    assert [pasted(value) for value in nothing] == [((), False)] * 4


def nested(prefix: str, step: str, size: int) -> str:
    """Return lines that nest deeper and deeper."""
    lines, depth = [""], 0
    while sum(map(len, lines)) < size:
        depth += 1
        lines.append(step * depth + prefix)
    return "\n".join(lines)


HEAVY = {
    "formulas opened": r"\\(" * 20_000,
    "display formulas opened": r"\\[" * 20_000,
    "environments opened": r"\begin{a} " * 20_000,
    "formulas": r"\\(x\\) " * 20_000,
    "dollars": "$$ " * 30_000,
    "stars": "*" * 10**6,
    "emphases": "*a " * 300_000,
    "a long line": "a" * 10**6,
    "nested lists": nested("- a", "  ", 300_000),
    "nested quotes": nested(" a", ">", 300_000),
    "a long table": "| a | b |\n| --- | --- |\n" + "| a | b |\n" * 50_000,
    "a wide table": "|a" * 50_000 + "|\n" + "|-" * 50_000 + "|\n",
    "headings": "# a\n" * 50_000,
    "underlined headings": "a\n=\n" * 50_000,
    "carriage returns": "# a\r" * 50_000,
    "brackets": "[" * 300_000,
    "links opened": "[a](" * 100_000,
    "pictures in links": "[![" * 100_000,
    "backticks": "` `` " * 100_000,
    "tags": "<a " * 100_000,
}


@pytest.mark.parametrize("name", HEAVY)
def test_rendering_is_bounded(name: str) -> None:
    """What takes nbconvert long is cut, and said to be: twice a notebook's worth of it costs little."""
    room = RenderBudget()
    pages = [shown(HEAVY[name], (), room)[0] for _ in range(2)]
    before = time.process_time()
    for page in pages:
        markdown2html(page)
    assert time.process_time() - before < 3  # about 1 s on a machine that does nothing else
    assert "znaków" in pages[1]


def test_many_pictures_in_the_text_are_bounded() -> None:
    """Beyond a hundred in a notebook they count as the text that they are: finding the links to 20,000 took a minute."""
    room = RenderBudget()
    before = time.process_time()
    pages = [shown(f"![x](data:image/png;base64,{PNG}) " * 20_000, (), room) for _ in range(2)]
    assert time.process_time() - before < 3
    assert [len(attachments) for _, attachments in pages] == [MAX_EMBEDDED, 0]
    assert all("znaków" in text for text, _ in pages)


def test_an_honest_answer_is_not_cut() -> None:
    """Ten pages with a table, formulas and lists stay whole."""
    answer = "## Wnioski\n\n| sieć | F1 |\n| --- | --- |\n| `gap` | 0,7 |\n\n- $a < b$, a \\\\(x^2\\\\) rośnie\n\n" * 60
    assert shown(answer, (), RenderBudget()) == (safe_markdown(answer), {}) == (answer, {})


def test_a_picture_in_the_text_does_not_count() -> None:
    """Colab pastes pictures as data URIs: megabytes of them leave the text whole, are shown, and cost no time."""
    large = noise(1000, 1000)
    answer = r"\\( " * 150 + f"![x](data:image/png;base64,{large}) i dalej"
    before = time.process_time()
    page = rendered(answer)
    assert time.process_time() - before < 3
    assert f'src="data:image/png;base64,{large}"' in page
    assert "i dalej" in page


def test_a_submission_keeps_its_pictures(tmp_path: Path) -> None:
    """As nbgrader gets it, an answer has its PNG and not its SVG; the instructor's own pages stay; all of it renders."""
    path = build({"task4_comparison": "![a](attachment:w.png) ![b](attachment:w.svg)"}, tmp_path, "ola")
    notebook = nbformat.read(path, as_version=4)
    by_id = {cell.id: cell for cell in notebook.cells}
    by_id["task4_comparison"].attachments = {"w.png": {"image/png": PNG}, "w.svg": {"image/svg+xml": SVG}}
    notebook.cells.append(new_markdown_cell("![c](attachment:c.jpg)", attachments={"c.jpg": {"image/jpeg": JPEG}}))
    nbformat.write(notebook, path)
    read = read_notebook(path, load_assignment(), Splot())
    answers = {cell.metadata.get("nbgrader", {}).get("grade_id"): cell for cell in read.cells}
    assert answers["task4_comparison"].attachments == {"picture-1.png": {"image/png": PNG}}
    assert read.cells[-1].attachments == {"picture-1.jpg": {"image/jpeg": JPEG}}
    page = page_of(read)
    assert f"data:image/png;base64,{PNG}" in page
    assert SVG not in page
    assert page.count("<img") == 2 + sum(cell.source.count("](data:image") for cell in notebook.cells)
