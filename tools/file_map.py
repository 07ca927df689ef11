"""Write docs/map.md: each file, its size, its first sentence. With --check, only say whether it is true."""

import ast
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MAP = ROOT / "docs" / "map.md"
HEAD = "# Files\n\nFile, lines, story; written by `tools/file_map.py`.\n\n"


def entry(path: Path) -> str:
    """Return one file's line of the map."""
    text = path.read_text(encoding="utf-8")
    story = (ast.get_docstring(ast.parse(text)) or "").split("\n")[0].rstrip(".:")
    return f"{path.relative_to(ROOT)!s:48} {len(text.splitlines()):4}  {story}"


def drawn() -> str:
    """Return the whole map."""
    files = [path for package in ("reference", "autograder") for path in sorted((ROOT / package).rglob("*.py"))]
    lines = [entry(path) for path in files if path.name != "__init__.py"]
    total = sum(len(path.read_text(encoding="utf-8").splitlines()) for path in files)
    return HEAD + "\n".join(["```", *lines, f"{'together':48} {total:4}", "```", ""])


def main() -> int:
    """Draw the map anew, or check it."""
    if "--check" in sys.argv:
        return int(not MAP.is_file() or MAP.read_text(encoding="utf-8") != drawn())
    MAP.write_text(drawn(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
