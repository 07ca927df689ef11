"""Build the sample submissions of `make grade`: a right one, the untouched release, a typical wrong one."""

import sys
from pathlib import Path

from tests.submissions import RIGHT, WRONG, build

SAMPLES = {"ania-dobrze": RIGHT, "bartek-nietkniete": {}, "celina-z-bledami": WRONG}

for student, cells in SAMPLES.items():
    build(cells, Path(sys.argv[1]), student)
