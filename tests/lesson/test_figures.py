"""The notebook's figures and the script that draws them."""

import base64
import io
import json
import re
import runpy
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "source" / "cnn" / "cnn.ipynb"
SCRIPT = runpy.run_path(str(ROOT / "source" / "figures.py"), run_name="figures")
NAMES = ["architecture", "convolution", "dilation", "pooling", "receptive_field", "stride_padding"]
EMBEDDED = re.compile(r"^!\[(?P<alt>[^\]]+)\]\(data:image/png;base64,(?P<data>[A-Za-z0-9+/=]+)\)\n\n\*Rys\. \d\. .+\*$")


def embedded(name: str) -> re.Match[str]:
    """Return the alternative text and the image data of a figure in the notebook."""
    cells = {cell["id"]: "".join(cell["source"]) for cell in json.loads(SOURCE.read_text("utf-8"))["cells"]}
    found = EMBEDDED.match(cells[f"figure_{name}"])
    assert found, f"figure_{name} is not one image with alternative text and caption"
    return found


def pixels(png: bytes) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Decode a PNG into grey levels, 0 to 255, (H, W)."""
    return np.asarray(Image.open(io.BytesIO(png)).convert("L"), dtype=np.float64)


def test_names() -> None:
    """The script draws exactly the lesson's six figures."""
    assert sorted(SCRIPT["FIGURES"]) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_embedded_figure_is_current(name: str) -> None:
    """Drawing twice gives the same bytes, and the notebook holds them (a shade off under another matplotlib)."""
    drawn, again = SCRIPT["render"](name), SCRIPT["render"](name)
    assert drawn == again
    kept, fresh = pixels(base64.b64decode(embedded(name)["data"])), pixels(drawn)
    assert kept.shape == fresh.shape
    assert np.abs(kept - fresh).mean() < 3


@pytest.mark.parametrize("name", NAMES)
def test_readable(name: str) -> None:
    """A figure fits the notebook's width, is dark on white in grey, and has a sentence as its alternative text."""
    grey = pixels(SCRIPT["render"](name))
    assert 900 <= grey.shape[1] <= 1200
    assert (grey < 80).mean() > 0.002 < (grey > 250).mean()
    assert len(embedded(name)["alt"].split()) >= 15


def test_embedding_touches_only_images(tmp_path: Path) -> None:
    """Running the script on the notebook changes nothing in it but image data."""
    copy = tmp_path / "cnn.ipynb"
    shutil.copy(SOURCE, copy)
    SCRIPT["embed"](copy)
    before, after = (SCRIPT["IMAGE"].sub("", path.read_text("utf-8")) for path in (SOURCE, copy))
    assert after == before
