"""The hidden graders of Task 2: every admissible layer passes, each way to miss fails with its numbers."""

from pathlib import Path

import pytest

from autograder.engine.report import Status
from tests.unsandboxed import cell_of, failed, judged

CASE = {
    1: "case_1 = nn.Conv2d(3, 64, padding=2, dilation=1, {})",
    2: "case_2 = nn.Conv2d(1, 1, padding=0, dilation=1, {})",
    3: "case_3 = nn.Conv2d(16, 16, stride=1, padding=0, kernel_size=3, {})",
}
RIGHT = [
    (1, "kernel_size=11, stride=4"),
    (1, "kernel_size=9, stride=4"),
    (1, "kernel_size=10, stride=4"),
    (1, "kernel_size=(12, 9), stride=4, bias=False"),
    (2, "kernel_size=(3, 1), stride=(1, 2)"),
    (2, "kernel_size=(3, 2), stride=(1, 2)"),
    (2, "kernel_size=(3, 17), stride=1"),
    (2, "kernel_size=(3, 2), stride=(1, 2), padding_mode='zeros'"),
    (3, "dilation=2"),
    (3, "dilation=(2, 2)"),
]
WRONG = [
    (1, "kernel_size=1, stride=1", "= 228"),
    (1, "kernel_size=11, stride=3", "(224 + 2·2 − 1·(11 − 1) − 1) / 3 + 1"),
    (2, "kernel_size=(3, 3), stride=(1, 2)", "= 15"),
    (2, "kernel_size=3, stride=1", "should be 30×16"),
    (3, "dilation=1", "= 48"),
    (3, "dilation=(2, 1)", "W_out"),
]


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[int, str], dict[str, str]]:
    """Judge each answer once, three cases at a time."""
    answers = [(case, text) for case, text in RIGHT] + [(case, text) for case, text, _ in WRONG]
    found = {}
    while answers:
        batch = dict(reversed(answers))
        cells = {f"task2_case_{case}": CASE[case].format(text) for case, text in batch.items()}
        report = judged(cells, tmp_path_factory.mktemp("task2"))
        for case, text in batch.items():
            found[case, text] = failed(report, f"task2_case_{case}_tests")
            answers.remove((case, text))
    return found


@pytest.mark.parametrize(("case", "text"), RIGHT)
def test_any_admissible_layer_passes(case: int, text: str, reports: dict[tuple[int, str], dict[str, str]]) -> None:
    """What gives the shape and keeps what is required passes, hinted at or not."""
    assert reports[case, text] == {}


@pytest.mark.parametrize(("case", "text", "shown"), WRONG)
def test_a_wrong_size_is_shown_with_the_students_numbers(
    case: int, text: str, shown: str, reports: dict[tuple[int, str], dict[str, str]]
) -> None:
    """The message puts the student's own numbers into the formula."""
    (message,) = reports[case, text].values()
    assert shown in message


def test_the_right_size_by_other_means_names_the_requirement(tmp_path: Path) -> None:
    """Padding other than required fails although the map has the size; so does another number of channels."""
    report = judged(
        {
            "task2_case_1": "case_1 = nn.Conv2d(3, 64, padding=0, dilation=1, kernel_size=8, stride=4)",
            "task2_case_2": "case_2 = nn.Conv2d(1, 2, padding=0, kernel_size=(3, 1), stride=(1, 2))",
            "task2_case_3": "case_3 = nn.Conv2d(16, 16, kernel_size=5)",
        },
        tmp_path,
    )
    wanted = {1: "padding = (0, 0)", 2: "out_channels = 2", 3: "kernel_size = (5, 5)"}
    for case, named in wanted.items():
        (message,) = failed(report, f"task2_case_{case}_tests").values()
        assert named in message


def test_what_is_no_layer_is_told_so(tmp_path: Path) -> None:
    """A pooling layer, a missing name and a cell that raises each get their own outcome, and no points."""
    report = judged(
        {"task2_case_1": "case_1 = nn.MaxPool2d(4)", "task2_case_2": "case_2 = nn.Conv2d(1, 1, 3, strides=2)"}, tmp_path
    )
    cells = [cell_of(report, f"task2_case_{case}_tests") for case in (1, 2, 3)]
    assert [cell.status for cell in cells] == [Status.FAILED, Status.ERROR, Status.MISSING]
    assert [cell.score for cell in cells] == [0, 0, 0]
    assert "MaxPool2d" in cells[0].checks[0].message
    assert "strides" in cells[1].checks[0].message
