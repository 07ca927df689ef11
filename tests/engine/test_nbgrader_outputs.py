"""What an instructor's browser may get of a notebook that a student wrote."""

import pytest
from nbconvert.filters import markdown2html

from autograder.engine.nbgrader.grade import safe_outputs
from autograder.engine.nbgrader.submitted import safe_markdown


@pytest.mark.parametrize(
    "source",
    [
        "<script>canary</script>",
        "<img src=x onerror=canary>",
        "<!-- --><b onclick=canary>x</b>",
        "<javascript:canary>",
        "[x](javascript:canary)",
        "[x]( JaVaScript:canary)",
        "[x](\njavascript:canary)",
        "[x](<javascript:canary>)",
        "[x](&#106;avascript:canary)",
        "[x](javascript\\:canary)",
        "[x](vbscript:canary)",
        "[x](data:text/html,canary)",
        "[x]: javascript:canary\n\n[x]",
        "> [x]:\n> javascript:canary\n\n[x]",
        "- [x][y]\n\n[y]:\n   javascript:canary 'z'",
        "![x](javascript:canary)",
    ],
)
def test_nothing_of_a_students_markdown_runs(source: str) -> None:
    """As nbconvert renders it, no tag of theirs is left and no link leads into a script."""
    page = markdown2html(safe_markdown(source)).lower()
    assert "canary" in page
    assert not [tag for tag in ("<script", "<img", "<b ", "<a ", 'href="', 'src="') if tag in page]


@pytest.mark.parametrize(
    "source",
    [
        "| sieć | F1 |\n| --- | --- |\n| gap | 0,77 |",
        "gdy $a < b$, to `x > y`; **tak**",
        "[strona](https://pytorch.org/docs) i ![wykres](wykres.png) oraz [niżej](#wnioski)",
        "![mapa](data:image/png;base64,iVBORw0KGgo=)",
        "[1]: przypis, a [2]: drugi",
    ],
)
def test_the_rest_stays(source: str) -> None:
    """Tables, formulas, links to pages and pictures stay as they were written."""
    assert safe_markdown(source) == source


def test_outputs_are_text_and_pictures() -> None:
    """Of outputs stay streams, exceptions, plain text and pictures; a forged score is shown, but is no result any more."""
    outputs = [
        {"output_type": "stream", "name": "stderr", "text": ["ostrzeżenie\n", "drugie"]},
        {"output_type": "execute_result", "data": {"text/plain": "4.0", "text/html": "<b>4</b>"}},
        {"output_type": "display_data", "data": {"image/png": "iVBORw0KGgo=\n", "application/javascript": "canary"}},
        {"output_type": "display_data", "data": {"image/svg+xml": "<svg onload=canary>"}},
        {"output_type": "error", "ename": "ValueError", "evalue": "x", "traceback": ["\x1b[31mValueError"]},
    ]
    shown = safe_outputs(outputs)
    assert [output.output_type for output in shown] == ["stream", "display_data", "display_data", "error"]
    assert [dict(output.data) for output in shown[1:3]] == [{"text/plain": "4.0"}, {"image/png": "iVBORw0KGgo=\n"}]
    assert shown[0].text == "ostrzeżenie\ndrugie"


@pytest.mark.parametrize(
    "outputs",
    [
        None,
        "stream",
        [None, 7, []],
        [{"output_type": "stream", "text": {"a": 1}}],
        [{"output_type": "display_data", "data": ["x"]}],
        [{"output_type": "display_data", "data": {"image/png": 'iVBO" onerror="canary'}}],
        [{"output_type": "error", "traceback": [1, None], "ename": []}],
    ],
)
def test_outputs_of_any_shape_do_no_harm(outputs: object) -> None:
    """A kernel in a student's hands may send anything; nothing of it raises, and no attribute can be smuggled in."""
    assert "canary" not in str(safe_outputs(outputs))
