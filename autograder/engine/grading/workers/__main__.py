"""The supervisor's process: the client's end of the line is its standard input."""

import os
import sys
from multiprocessing.connection import Connection

from autograder.engine.grading.workers.supervisor import supervise

if __name__ == "__main__":
    supervise(Connection(os.dup(0)), sys.argv[1:])
