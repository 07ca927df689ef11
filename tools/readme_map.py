"""Write README's map of the house: each file, its size, its first sentence. With --check, only say whether it is true."""

import ast
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
BETWEEN = re.compile(r"(?<=<!-- map -->\n).*?(?=<!-- end of map -->)", re.DOTALL)


def entry(path: Path) -> str:
    """Return one file's line of the map."""
    text = path.read_text(encoding="utf-8")
    story = (ast.get_docstring(ast.parse(text)) or "").split("\n")[0].rstrip(".:")
    return f"{path.relative_to(ROOT)!s:36} {len(text.splitlines()):4}  {story}"


def drawn() -> str:
    """Return the whole map."""
    files = [path for package in ("reference", "autograder") for path in sorted((ROOT / package).rglob("*.py"))]
    lines = [entry(path) for path in files if path.name != "__init__.py"]
    total = sum(len(path.read_text(encoding="utf-8").splitlines()) for path in files)
    return "\n".join(["```", *lines, f"{'together':36} {total:4}", "```", ""])


def main() -> int:
    """Draw the map anew, or check it."""
    text = README.read_text(encoding="utf-8")
    new = BETWEEN.sub(lambda _: drawn(), text)
    if "--check" in sys.argv:
        return int(new != text)
    README.write_text(new, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
