"""Where a run takes place: a folder of its own in memory, with the programs built into it."""

import os
import shutil
import subprocess
import tempfile

PROGRAMS = ("service", "floor", "lines", "spawns", "nothing")

# Here, if it is there, no disk shows in the figures.
MEMORY = "/dev/shm"


class Place:
    """To be used with `with`: the folder goes with it."""

    def __init__(self, clinit):
        self.clinit = clinit
        parent = MEMORY if os.access(MEMORY, os.W_OK | os.X_OK) else None
        self.folder = tempfile.mkdtemp(prefix="clinit-bench-", dir=parent)
        # Others that services run as have to reach it.
        os.chmod(self.folder, 0o755)
        self.fifo = os.path.join(self.folder, "stamps")
        self.service = os.path.join(self.folder, "service")

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        shutil.rmtree(self.folder)

    def build(self):
        """Compiles the programs; statically, as a service's own start is not what is measured."""
        sources = os.path.join(os.path.dirname(__file__), "..", "programs")
        for name in PROGRAMS:
            subprocess.run(["gcc", "-O2", "-static", f'-DSTAMPS="{self.fifo}"', "-o", os.path.join(self.folder, name),
                            os.path.join(sources, name + ".c")], check=True)
