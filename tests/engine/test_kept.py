"""What is kept of a cell's output: what an honest notebook shows, and of anything else little."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nbformat import NotebookNode

from autograder.engine.collecting.output_buffer import MAX_DISPLAYS, MAX_KINDS, MAX_LINES, OutputBuffer

LIMIT = 10_000


def kept(*messages: tuple[str, dict[str, Any]], limit: int = LIMIT) -> OutputBuffer:
    """Take messages, and finish."""
    made = OutputBuffer([], limit)
    for kind, content in messages:
        made.take(kind, content)
    made.finish()
    return made


def shown(text: str, display: str = "") -> dict[str, Any]:
    """Return the content of a display."""
    return {"data": {"text/plain": text}, "transient": {"display_id": display} if display else {}}


def texts(made: OutputBuffer) -> list[str]:
    """Return what the outputs say."""
    return [output.get("text") or output["data"]["text/plain"] for output in made.outputs]


def test_streams_run_together_and_all_else_stands_apart() -> None:
    """Prints one after another are one output, in order; standard error, pictures and results are outputs of their own."""
    made = kept(
        ("stream", {"name": "stdout", "text": "a"}),
        ("stream", {"name": "stdout", "text": "b\n"}),
        ("stream", {"name": "stderr", "text": "c"}),
        ("stream", {"name": "stdout", "text": "d"}),
        ("display_data", {"data": {"image/png": "iVBOR", "text/plain": "<Figure>"}, "metadata": {"x": 1}}),
        ("execute_result", {"data": {"text/plain": "1"}, "execution_count": 10**30}),
        ("error", {"ename": "E", "evalue": "v", "traceback": ["one", 2, "two"]}),
    )
    assert made.outputs == [
        {"output_type": "stream", "name": "stdout", "text": "ab\n"},
        {"output_type": "stream", "name": "stderr", "text": "c"},
        {"output_type": "stream", "name": "stdout", "text": "d"},
        {"output_type": "display_data", "data": {"image/png": "iVBOR", "text/plain": "<Figure>"}, "metadata": {}},
        {"output_type": "execute_result", "data": {"text/plain": "1"}, "metadata": {}, "execution_count": None},
        {"output_type": "error", "ename": "E", "evalue": "v", "traceback": ["one", "two"]},
    ]
    assert all(isinstance(output, NotebookNode) for output in made.outputs)
    assert not made.cut


def test_a_plot_drawn_again_and_again_costs_its_last_picture() -> None:
    """Clearing, with or without waiting, and updating a display free what was there: a training may redraw all day."""
    picture = shown("x" * 3_000, "plot")
    for again in (("clear_output", {"wait": True}), ("clear_output", {}), ("clear_output", {"wait": False})):
        assert texts(made := kept(*[again, ("display_data", picture)] * 50)) == ["x" * 3_000]
        assert not made.cut
    made = kept(
        ("display_data", picture), *[("update_display_data", picture)] * 50, ("update_display_data", shown("y", "plot"))
    )
    assert (texts(made), made.cut) == (["y"], False)


def test_an_update_of_what_another_cell_showed_is_shown_here() -> None:
    """A picture that only an update brings is seen, once."""
    assert texts(kept(*[("update_display_data", shown(f"{n}", "other")) for n in range(5)])) == ["4"]


def test_clearing_that_waits_keeps_what_nothing_follows() -> None:
    """The last picture stays, and what is printed after clearing stands alone."""
    wait = ("clear_output", {"wait": True})
    assert texts(kept(("display_data", shown("a")), wait)) == ["a"]
    assert texts(kept(("display_data", shown("a")), wait, ("stream", {"text": "b"}), ("stream", {"text": "c"}))) == [
        "bc"
    ]


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("comm_open", {"comm_id": "x", "target_name": "jupyter.widget", "data": {"state": {"a": "x" * 100}}}),
        ("comm_msg", {"comm_id": "x", "data": {"state": {}, "buffer_paths": [["a"]]}}),
        ("comm_close", {"comm_id": "x", "data": {}}),
        ("display_data", {"data": {"application/json": [[[]]]}}),
        ("display_data", {"data": {"application/vnd.jupyter.widget-view+json": {"model_id": "x"}}}),
        ("display_data", {"data": {"text/plain": ["x"], "image/png": 5, "image/" + "x" * 99: "y"}}),
        ("display_data", {"data": []}),
        ("display_data", {}),
        ("execute_result", {"data": "x"}),
        ("stream", {"text": 5}),
        ("input_request", {"prompt": "?"}),
        ("execute_input", {"code": "x" * 100}),
        ("x" * 100, {}),
    ],
)
def test_what_is_no_text_or_picture_is_not_kept(kind: str, content: dict[str, Any]) -> None:
    """Comms, widgets, JSON, requests, and content of other types leave no output and take no space."""
    made = kept((kind, content))
    assert (made.outputs, made.size, made.cut) == ([], 0, False)


def test_no_more_is_kept_than_there_is_room_for() -> None:
    """Long texts, many short ones, empty ones, names of forms, lines of a traceback: each counts, with what it takes."""
    floods: list[tuple[str, dict[str, Any]]] = [
        ("stream", {"text": "x" * LIMIT}),
        ("stream", {"text": "x"}),
        ("display_data", shown("")),
        ("display_data", shown("x")),
        ("display_data", {"data": {f"text/{n}": "x" for n in range(5_000)}}),
        ("error", {"ename": "E" * LIMIT, "evalue": "", "traceback": []}),
        ("error", {"ename": "", "evalue": "", "traceback": ["x"] * 5_000}),
    ]
    for flood in floods:
        made = kept(*[flood] * 500)
        assert made.size <= LIMIT, flood
        assert len(made.outputs) <= LIMIT // 100, flood
        assert all(len(output.get("data", {})) <= MAX_KINDS for output in made.outputs)
        assert all(len(output.get("traceback", ())) <= MAX_LINES for output in made.outputs)


def test_displays_that_can_be_updated_are_bounded() -> None:
    """Names beyond the number, long ones and what is no name can be shown, not updated; each update is quick."""
    made = OutputBuffer([], 10**9)
    for n in range(3 * MAX_DISPLAYS):
        made.take("display_data", shown("a", f"name {n}"))
        made.take("update_display_data", shown("b", f"name {n}"))
    assert len(made._displays) == MAX_DISPLAYS
    odd: dict[str, Any] = {"data": {"text/plain": "x"}, "transient": {"display_id": {}}}
    made.take("update_display_data", odd)
    made.take("update_display_data", odd | {"transient": [1]})


KEYS = [
    "data",
    "text",
    "name",
    "text/plain",
    "image/png",
    "transient",
    "display_id",
    "wait",
    "traceback",
    "ename",
    "evalue",
]
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=12,
)
KINDS = ["stream", "error", "display_data", "execute_result", "update_display_data", "clear_output", "comm_msg"]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(KINDS), st.dictionaries(st.sampled_from(KEYS), JSON)), max_size=8))
def test_no_content_raises(messages: list[tuple[str, dict[str, Any]]]) -> None:
    """Whatever JSON stands in a message, what is kept is made of texts within the limit."""
    made = kept(*messages, limit=600)
    assert made.size <= 600
    for output in made.outputs:
        values = [
            output.get("text", ""),
            output.get("ename", ""),
            *output.get("data", {}).values(),
            *output.get("traceback", ()),
        ]
        assert all(isinstance(value, str) for value in values)
