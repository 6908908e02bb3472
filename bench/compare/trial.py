"""One supervisor with N services, from its start to its end."""

import os
import shutil
import signal
import struct
import subprocess
import time

from . import processes
from .stamps import Stamps

# How long anything may take that is waited for.
PATIENCE_S = 60

# How long a supervisor is left alone, so that no rule of "once a second" shows in what comes next.
REST_S = 1.6


class Failed(Exception):
    """The supervisor did not do what it was asked to."""


class Trial:
    """To be used with `with`: whatever happens, nothing is left."""

    def __init__(self, kind, n, place):
        self.n, self.place = n, place
        self.folder = os.path.join(place.folder, "trial")
        os.mkdir(self.folder)
        self.stamps = Stamps(place.fifo)
        self.supervisor = kind(self.folder, place.service, n, place.clinit)
        self.supervisor.prepare()
        self.root = None

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        try:
            self._end()
        finally:
            self.stamps.close()
            shutil.rmtree(self.folder)

    def _end(self):
        """What went well has ended by now. Else it is asked to first, so that it can put away what is its own."""
        if self.root is not None and self.root.poll() is None:
            try:
                self.supervisor.stop_all(self.root)
                self._wait_until_gone(time.monotonic() + 5)
            except (OSError, subprocess.SubprocessError):
                pass
        processes.end_all()

    def bring_up(self):
        """Starts everything; ms from just before exec until the last service's stamp."""
        # runsvdir does not look at a folder that changed within this second.
        time.sleep(1.2)
        reading, writing = os.pipe()
        end_signal = self.supervisor.end_signal

        def before_exec():
            processes.die_with_parent(end_signal)
            os.write(writing, struct.pack("=Q", time.monotonic_ns()))

        with open(os.path.join(self.folder, "said"), "wb") as said:
            self.root = subprocess.Popen(self.supervisor.command(), stdin=subprocess.DEVNULL, stdout=said, stderr=said,
                                         preexec_fn=before_exec, start_new_session=True)
        begun = struct.unpack("=Q", os.read(reading, 8))[0]
        os.close(reading)
        os.close(writing)
        stamps = self.stamps.take(self.n, PATIENCE_S, 0.01)
        if len(stamps) < self.n:
            said = processes.read(os.path.join(self.folder, "said"))[-300:].strip()
            raise Failed(f"{len(stamps)} of {self.n} services up after {PATIENCE_S} s; {said}")
        return (max(at for at, _, _ in stamps) - begun) / 1e6

    def bring_down(self):
        """Ends everything: ms until the last service has died, and until the supervisor has gone."""
        begun = time.monotonic_ns()
        deadline = time.monotonic() + PATIENCE_S
        self.supervisor.stop_all(self.root)
        down = self.stamps.wait_for_end(PATIENCE_S)
        if down is None or not self._wait_until_gone(deadline):
            raise Failed(f"not everything was down after {PATIENCE_S} s")
        return (down - begun) / 1e6, (time.monotonic_ns() - begun) / 1e6

    def _wait_until_gone(self, deadline):
        """Whether everything below this process ends in time. Its root first, since its end is to be known."""
        while time.monotonic() < deadline:
            if self.root.poll() is not None and not processes.reap():
                return True
            time.sleep(0.002)
        return False

    def kill(self, number):
        """Kills a service; ms until its next process has stamped."""
        self.stamps.drop()
        begun = time.monotonic_ns()
        os.kill(self.stamps.pids[number], signal.SIGKILL)
        stamps = self.stamps.take(1, PATIENCE_S)
        if not stamps:
            raise Failed(f"service {number} was not back after {PATIENCE_S} s")
        return (stamps[0][0] - begun) / 1e6

    def kill_all(self):
        """Kills all services at once; ms until all are back."""
        self.stamps.drop()
        pids = list(self.stamps.pids.values())
        begun = time.monotonic_ns()
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        stamps = self.stamps.take(len(pids), PATIENCE_S, 0.01)
        if len(stamps) < len(pids):
            raise Failed(f"{len(stamps)} of {len(pids)} services were back after {PATIENCE_S} s")
        return (max(at for at, _, _ in stamps) - begun) / 1e6

    def supervising(self):
        """The pids of all supervising processes."""
        return processes.supervisors(self.place.service)
