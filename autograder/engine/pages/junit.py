"""Reports as JUnit XML: one suite per submission, one case per check, so that any CI shows them."""

import re
from xml.etree import ElementTree as ET

from autograder.engine.report import Check, Outcome, Report, Status

CRASHED = {Status.ERROR, Status.TIMEOUT, Status.MEMORY, Status.MISSING}
NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(reports: list[Report]) -> bytes:
    """Return the reports as one `testsuites` document: `failure` is wrong, `error` a crash, `skipped` for a person."""
    root = ET.Element("testsuites", name="splot")
    for report in reports:
        _add_suite(root, report)
    ET.indent(root)
    document: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return document + b"\n"


def _add_suite(root: ET.Element, report: Report) -> None:
    suite = ET.SubElement(root, "testsuite", name=_clean(f"{report.student}/{report.assignment}"))
    _add_properties(suite, {"score": report.score, "max_score": report.max_score, "bonus": report.bonus})
    if report.status is Outcome.UNGRADED:
        case = ET.SubElement(suite, "testcase", classname=report.assignment, name="grading", time="0")
        _add_outcome(case, "error", report.reason or "")
    for cell in report.cells:
        for check in cell.checks or (Check(cell.title, 1, None, ""),):
            case = ET.SubElement(suite, "testcase", classname=cell.id, name=_clean(check.name), time="0")
            _add_properties(case, {"points": cell.points, "weight": check.weight})
            if check.passed is None:
                _add_outcome(case, "skipped", check.message or cell.status)
            elif not check.passed:
                _add_outcome(case, "error" if cell.status in CRASHED else "failure", check.message)
    suite.set("tests", str(len(suite.findall("testcase"))))
    for attribute, kind in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(attribute, str(len(suite.findall(f"testcase/{kind}"))))
    suite.set("time", f"{report.timing.ours_s + report.timing.notebook_s:.3f}")


def _add_properties(parent: ET.Element, values: dict[str, float | None]) -> None:
    properties = ET.SubElement(parent, "properties")
    for name, value in values.items():
        if value is not None:
            ET.SubElement(properties, "property", name=name, value=f"{value:g}")


def _add_outcome(case: ET.Element, kind: str, message: str) -> None:
    ET.SubElement(case, kind, message=_clean(message)).text = _clean(message)


def _clean(text: str) -> str:
    """Replace the characters that XML cannot hold; a student's text may have any."""
    return NOT_XML.sub("\ufffd", text)
