"""Pictures as a student pastes them into an answer: base64 of a real PNG, JPEG or GIF."""

import base64
import io

import numpy as np
from PIL import Image


def picture(kind: str = "PNG", width: int = 4, height: int = 3) -> str:
    """Return a white picture: a few bytes, however large it is."""
    return _encoded(Image.new("1", (width, height), 1), kind)


def noise(width: int, height: int) -> str:
    """Return a PNG that no compression makes smaller: 3 bytes for each pixel."""
    return _encoded(Image.frombytes("RGB", (width, height), np.random.default_rng(0).bytes(3 * width * height)), "PNG")


def _encoded(image: Image.Image, kind: str) -> str:
    written = io.BytesIO()
    image.save(written, kind)
    return base64.b64encode(written.getvalue()).decode()
