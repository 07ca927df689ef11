"""What the tests of pages share: a graded submission to look at, and what a page is made of."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Literal

import msgspec
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from autograder.engine.files import write_report
from autograder.engine.report import CellReport, Check, Flag, Kind, ModelReport, Profile, Report, Status
from autograder.engine.text import Lang
from autograder.lesson.findings import Best, CNNFindings, Comparison, Layer, Misclassified, ModelFinding, Overlay
from autograder.lesson.observations import History, Results
from tests.engine.reports import REPORT
from tests.submissions.convolutions import LOOPS
from tests.submissions.corpus import ROTATED
from tests.submissions.fitted import FITTED_CELLS
from tests.unsandboxed import DATA, judged

CAM = """
def cam(model, image, class_index):
    with torch.no_grad():
        return torch.einsum("k,khw->hw", model.out.weight[class_index], model.maps(image[None])[0])
"""
SAME = LOOPS.replace("def convolution(", "def convolution_same(")  # too small: nothing is padded
CELLS = {"task3_data": DATA, **FITTED_CELLS, "task1_convolution": ROTATED, "task1_same": SAME, "task5_cam": CAM}
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d494844520000000100000001080200000090"
    "7753de0000000c4944415408d763f8ffff3f0005fe02fe0def46b80000000049454e44ae426082"
)
OWN = "data:image/png;base64,"
URLS = {"src", "href", "action", "data", "poster", "srcset", "xlink:href", "formaction", "background"}


def graded(root: Path, lang: Lang) -> Path:
    """Judge a submission that trained seven networks and rotates its kernels; return ania's folder below `root`."""
    folder = root / "ania" / "cnn"
    report = judged(CELLS, folder / "evidence", profile=Profile.QUICK, lang=lang)
    write_report(msgspec.structs.replace(report, student="ania"), folder)
    return folder


def report_saying(text: str) -> Report:
    """Return a report with this text wherever a student's may stand."""
    checks = (
        Check(text, 1, passed=False, message=text),
        Check(f"{text}!", 1, passed=True, message=""),
        Check(f"{text}?", 1, passed=None, message=f"{text}?"),
    )
    cells = tuple(
        CellReport(name, text or "Zadanie", Kind.AUTO, 2.0, 1.0, status, checks)
        for name, status in (("task1_convolution_tests", Status.PARTIAL), ("task5_cam_tests", Status.ERROR))
    )
    models = {"baseline": ModelReport(0.9, 0.85, 1234, (text,), verified=True)}
    flags = (Flag(text, (text,), {text: 0.5}),)
    return msgspec.structs.replace(
        REPORT, student=text, notes=(text,), cells=cells, models=models, flags=flags, dataset=text
    )


def findings_saying(text: str) -> CNNFindings:
    """Return findings of every kind; what the judge names itself is well-formed, `text` is a layer's name."""
    grid = ((0, 255), (128, 64))
    compared = Comparison(
        "task1_convolution_tests", "convolution", (3, 3, 1), (2, 2, 1, 1), (2, 2, 1), (2, 2, 1), grid, ((0, 4), (1, 2))
    )
    history = History((1.0, None, 0.5), (1.0, 2.0, 1e30), (0.5, 0.6, 0.7))
    model = ModelFinding("baseline", 3, history, Results(0.9, 0.8, 10), (Layer(text[:200], (1, 2), (3, 3), 5),))
    counts = tuple(tuple(int(i == j) for j in range(10)) for i in range(10))
    return CNNFindings(
        comparisons=(compared,),
        models=(model,),
        best=Best("baseline", counts, (Misclassified(PIXEL, 1, 2, 0.9),)),
        overlays=(Overlay("gap", 1, 2, PIXEL, PIXEL),),
        faults=(text,),
    )


def leave(folder: Path, report: Report, findings: CNNFindings | None = None) -> Path:
    """Lay a report and findings out as grading does."""
    write_report(report, folder)
    if findings is not None:
        (folder / "evidence").mkdir(exist_ok=True)
        (folder / "evidence" / "findings.json").write_bytes(msgspec.json.encode(findings))
    return folder


@dataclass
class Anatomy(HTMLParser):
    """A page's tags, its attributes' names, and the addresses in it."""

    tags: list[str] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    addresses: list[str] = field(default_factory=list)
    text: str = ""

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag."""
        self.tags.append(tag)
        self.names |= {name for name, _ in attrs}
        self.addresses += [value or "" for name, value in attrs if name in URLS]

    def handle_data(self, data: str) -> None:
        """Note text."""
        self.text += data


def anatomy(page: str) -> Anatomy:
    """Take a page apart."""
    parser = Anatomy()
    parser.feed(page)
    return parser


@contextmanager
def opened(browser: Browser, path: Path, **options: Any) -> Iterator[tuple[Page, list[str]]]:
    """Open a page as a reader's browser would; with it, what it says, pops up and loads from anywhere but itself."""
    context = browser.new_context(**options)
    page = context.new_page()
    seen: list[str] = []
    page.on("console", lambda message: seen.append(message.text))
    page.on("pageerror", lambda error: seen.append(str(error)))
    page.on("dialog", lambda dialog: seen.append(dialog.message))
    page.on("request", lambda request: None if request.url.startswith(OWN) else seen.append(request.url))
    page.goto(path.as_uri())
    yield page, [url for url in seen if url != path.as_uri()]
    context.close()


def violations(browser: Browser, path: Path, media: Literal["screen", "print"] = "screen", **options: Any) -> list[str]:
    """Run every rule of axe-core on a page and return what it finds."""
    context = browser.new_context(bypass_csp=True, **options)
    page = context.new_page()
    page.goto(path.as_uri())
    page.emulate_media(media=media)
    found = Axe().run(page).response["violations"]
    context.close()
    return [f"{rule['id']}: {node['html'][:120]}" for rule in found for node in rule["nodes"]]
