"""What services say of themselves: each writes a stamp into a FIFO when it starts, and keeps that open.

So nothing has to be polled while time is measured: a start is over at its stamp, and all are down at the end
of the file.
"""

import fcntl
import os
import select
import struct
import time

STAMP = struct.Struct("=QII")
F_SETPIPE_SZ = 1031
PIPE_BYTES = 1 << 20


class Stamps:
    """The reading end."""

    def __init__(self, path):
        os.mkfifo(path, 0o600)
        self._path = path
        self._fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        fcntl.fcntl(self._fd, F_SETPIPE_SZ, PIPE_BYTES)
        self._poll = select.poll()
        self._poll.register(self._fd, select.POLLIN)
        # The number of each service that was ever heard of, and its newest process.
        self.pids = {}

    def _read(self, timeout_s):
        """The stamps that come within the time, those of the first batch; None at the end of the file."""
        if not self._poll.poll(max(0, timeout_s) * 1000):
            return []
        try:
            data = os.read(self._fd, PIPE_BYTES)
        except BlockingIOError:
            return []
        if not data:
            return None
        stamps = list(STAMP.iter_unpack(data))
        self.pids.update((number, pid) for _, pid, number in stamps)
        return stamps

    def take(self, count, timeout_s, gather_s=0.0):
        """`count` stamps, or fewer in that time. With `gather_s` they are let pile up, so that reading them
        costs what is measured little."""
        taken, deadline = [], time.monotonic() + timeout_s
        while len(taken) < count and time.monotonic() < deadline:
            stamps = self._read(deadline - time.monotonic())
            taken += stamps or []
            if stamps is None:
                time.sleep(0.001)
            elif gather_s and len(taken) < count:
                time.sleep(gather_s)
        return taken

    def drop(self):
        """Reads away what is there."""
        while self._read(0):
            pass

    def wait_for_end(self, timeout_s):
        """The time (monotonic, ns) at which no service lived any more, or None."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            if self._read(deadline - time.monotonic()) is None:
                return time.monotonic_ns()
        return None

    def close(self):
        os.close(self._fd)
        os.unlink(self._path)
