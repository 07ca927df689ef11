"""Whether a test may mount a small file system, in a mount namespace of its own, and with what command it does."""

import os
import subprocess

UNSHARE = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--mount", "--map-root-user"]
MOUNTED = subprocess.run([*UNSHARE, "mount", "-t", "tmpfs", "none", "/mnt"], check=False, capture_output=True)
