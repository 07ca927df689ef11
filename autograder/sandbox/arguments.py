"""Bubblewrap's options in the making."""

import os
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(slots=True)
class Arguments:
    """Options of one bubblewrap in the making, and the descriptors they name."""

    stack: ExitStack
    options: list[str] = field(default_factory=list)
    descriptors: list[int] = field(default_factory=list)

    def add(self, *options: str | int | Path) -> None:
        """Append options as they stand."""
        self.options += [str(option) for option in options]

    def memory(self, content: bytes) -> int:
        """Open a descriptor that bubblewrap reads `content` from, and closes before the command starts."""
        descriptor = os.memfd_create("splot")
        self.stack.callback(os.close, descriptor)
        os.write(descriptor, content)
        os.lseek(descriptor, 0, os.SEEK_SET)
        self.descriptors.append(descriptor)
        return descriptor

    def file(self, target: str | Path, content: bytes) -> None:
        """Put a read-only file with `content` at `target`."""
        self.add("--perms", "0444", "--ro-bind-data", self.memory(content), target)

    def sealed(self) -> list[str]:
        """Hand the options over by a descriptor, so that process 1's command line tells no path of the host."""
        return ["bwrap", "--args", str(self.memory("".join(f"{o}\0" for o in self.options).encode()))]
