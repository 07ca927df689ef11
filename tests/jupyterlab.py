"""A real JupyterLab server on a folder, with nbgrader's extensions as installed, cut off from the user's settings."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from jupyter_server.serverapp import list_running_servers

BIN = Path(sys.executable).parent
TOKEN = "test"  # noqa: S105  the server listens on this machine only, while the test runs
START_S = 90


@contextmanager
def jupyterlab(folder: Path) -> Iterator[str]:
    """Serve a folder and yield the address of JupyterLab; the server ends with the block.

    A course, with its own nbgrader_config.py, is served as an instructor does; any other folder as a student's home.
    """
    settings = _settings(folder)
    start = folder if (folder / "nbgrader_config.py").exists() else settings
    options = {"ServerApp.port": 0, "ServerApp.root_dir": folder, "IdentityProvider.token": TOKEN}
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
    command += [f"--{name}={value}" for name, value in options.items()]
    log = settings / "jupyterlab.log"
    with log.open("wb") as file:
        server = subprocess.Popen(command, cwd=start, env=_environment(settings), stdout=file, stderr=file)
        try:
            yield _address(settings / "runtime", server, log)
        finally:
            server.terminate()
            server.wait(30)


def _settings(student: Path) -> Path:
    """Write what an instructor sets for students, time for Validate, beside their folder; and ask nothing about news."""
    folder = student.parent / f"{student.name}-jupyter"
    overrides = folder / "config" / "labconfig" / "default_setting_overrides.json"
    overrides.parent.mkdir(parents=True)
    overrides.write_text(json.dumps({"@jupyterlab/apputils-extension:notification": {"fetchNews": "false"}}))
    course = f"c = get_config()\nc.Execute.timeout = 600\nc.CourseDirectory.root = {str(student)!r}\n"
    (folder / "nbgrader_config.py").write_text(course)
    return folder


def _environment(settings: Path) -> dict[str, str]:
    folders = {f"JUPYTER_{name.upper()}_DIR": str(settings / name) for name in ("config", "data", "runtime")}
    ours = {"HOME": str(settings), "PATH": f"{BIN}:{os.environ['PATH']}", "PIP_NO_INDEX": "1", "OMP_NUM_THREADS": "1"}
    return {**os.environ, **folders, **ours}


def _address(runtime: Path, server: "subprocess.Popen[bytes]", log: Path) -> str:
    """Wait until the server answers and return its address."""
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and server.poll() is None:
        for found in list_running_servers(str(runtime)) if runtime.is_dir() else ():
            with suppress(URLError):
                urlopen(f"{found['url']}api?token={TOKEN}").close()  # noqa: S310  our own server's address
                return str(found["url"])
        time.sleep(0.2)
    raise AssertionError(f"JupyterLab did not start: {log.read_text()[-2000:]}")
