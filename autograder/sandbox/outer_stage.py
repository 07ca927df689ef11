"""The stage that a grader who is root puts around bubblewrap: it shows what the room needs, then drops root.

Root that only changes its user id inside a user namespace still escapes process limits and reads root's files. So the
outer bubblewrap, still root, makes a mount namespace that holds just what the inner one binds (folders below a 0700
home included, which `nobody` could not reach), `setpriv` then becomes `nobody` for good, and the inner one starts
as it would for any user.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from autograder.sandbox.arguments import Arguments
from autograder.sandbox.installation import SYSTEM_FILES, USR, installation
from autograder.sandbox.room import SANDBOX_UID, Room

DROP_ROOT = (
    "setpriv", f"--reuid={SANDBOX_UID}", f"--regid={SANDBOX_UID}", "--clear-groups", "--no-new-privs",
    "--inh-caps=-all", "--bounding-set=-all", "--pdeathsig=KILL", "--",
)  # fmt: skip


def outer_stage(stack: ExitStack, room: Room) -> Arguments:
    """Show everything that the inner stage binds, at the paths it has here, with the right to become another user.

    The host's own /proc is bound, not a fresh one: as root bubblewrap covers parts of a fresh one, and then the kernel
    refuses the inner stage its own. What runs in the room sees only the inner stage's.
    """
    args = Arguments(stack)
    args.add("--die-with-parent", "--unshare-pid", "--cap-drop", "ALL")
    for capability in ("CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP"):
        args.add("--cap-add", capability)
    args.add("--perms", "0755", "--dir", "/tmp")  # noqa: S108 - the inner stage mounts its new root there, wherever TMPDIR is
    writable = (room.outbox, room.ipc)
    for source in sorted({*_sources(room), *writable}):
        for folder in reversed(source.parents[:-1]):
            args.add("--perms", "0755", "--dir", folder)
        args.add("--bind" if source in writable else "--ro-bind", source, source)
    for link in (Path("/") / folder.name for folder in USR):
        if link.is_symlink():
            args.add("--symlink", f"usr/{link.name}", link)
    args.add("--bind", "/proc", "/proc", "--dev", "/dev")
    return args


def _sources(room: Room) -> Iterator[Path]:
    system = (*USR, *(Path("/") / folder.name for folder in USR), *SYSTEM_FILES)
    yield from (path.resolve() for path in system if path.exists() and not path.is_symlink())
    yield from (tree.resolve() for tree in installation().trees)
    yield from (path for path in (room.data, room.inbox) if path is not None)
