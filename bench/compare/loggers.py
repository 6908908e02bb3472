"""Loggers: how fast lines that are there to be logged get into files, with a time stamp each.

Each writer writes lines of 100 bytes as fast as it is let. Before that, one line is logged, so that it is
known how much a stamp adds: when the files have as many bytes as all lines with stamps are long, all is kept.
"""

import os
import shutil
import signal
import subprocess
import time

from . import processes
from .supervisors import CLINIT_OUTPUT, Clinit
from .trial import PATIENCE_S, Failed

LINE_BYTES = 100

# Names of the ways in which is written: how many writers, how, and how many lines in all.
WAYS = {
    "1 writer, 64 KiB at once": (1, "blocks", 2_000_000),
    "1 writer, each line": (1, "each", 500_000),
    "1000 writers, each line": (1000, "each", 500_000),
}


class S6Log:
    """A logger and a pipe for each writer."""

    name, title, packages = "s6-log", "s6-log T", ("s6",)

    def __init__(self, folder, lines_program, gate, place):
        del place
        self.folder, self.program, self.gate = folder, lines_program, gate

    def begin(self, writers, how, lines_each):
        for i in range(writers):
            logs = os.path.join(self.folder, str(i))
            reading, writing = os.pipe()
            _start([self.program, self.gate, str(lines_each), how, "end"], stdout=writing)
            # As large as they get: nothing is rotated away.
            _start(["s6-log", "T", "s268435455", "n10", logs], stdin=reading)
            os.close(reading)
            os.close(writing)
        return [self.folder]

    def end(self):
        """Loggers end with their writers."""


class ClinitLog(Clinit):
    """The daemon's one logger."""

    name, title, packages = "clinit", "clinit", ()

    def __init__(self, folder, lines_program, gate, place):
        super().__init__(folder, lines_program, 0, place.clinit)
        self.program, self.gate, self.root = lines_program, gate, None

    def properties(self):
        # As large as those of s6-log.
        return [":::cgroup:no", f":::output:{CLINIT_OUTPUT.format(folder=self.folder)}", ":::log_size:255M"]

    def entries(self):
        words = f"{self.program} {self.gate} {self.lines_each} {self.how} sleep"
        return [f"bench:s{i:05}:run,:once:{words}" for i in range(self.n)]

    def begin(self, writers, how, lines_each):
        self.n, self.how, self.lines_each = writers, how, lines_each
        self.prepare()
        with open(os.path.join(self.folder, "said"), "wb") as said:
            self.root = _start(self.command(), stdout=said, stderr=said)
        return [os.path.join(self.folder, "log")]

    def end(self):
        if self.root:
            self.root.send_signal(signal.SIGTERM)
            self.root.wait(PATIENCE_S)


def _start(command, **streams):
    return subprocess.Popen(command, **{"stdin": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **streams},
                            preexec_fn=lambda: processes.die_with_parent(signal.SIGTERM), start_new_session=True)


def _kept_bytes(paths):
    """What the log files among `paths` and below them hold."""
    total, left = 0, list(paths)
    while left:
        path = left.pop()
        try:
            if os.path.isfile(path):
                total += os.path.getsize(path)
                continue
            for entry in os.scandir(path):
                if entry.is_dir(follow_symlinks=False):
                    left.append(entry.path)
                elif entry.name not in ("lock", "state", "status"):
                    total += entry.stat(follow_symlinks=False).st_size
        except OSError:
            continue
    return total


def measure(place, quick):
    """A row for each logger and way."""
    program = os.path.join(place.folder, "lines")
    rows = []
    for way, (writers, how, lines) in WAYS.items():
        for kind in (S6Log, ClinitLog):
            lines_each = max(1, lines // writers // (10 if quick else 1))
            row = {"logger": kind.name, "title": kind.title, "way": way, "lines": lines_each * writers}
            try:
                row.update(_measure_one(kind, writers, how, lines_each, place, program))
            except Failed as failure:
                row["note"] = str(failure)
            rows.append(row)
    return rows


def _measure_one(kind, writers, how, lines_each, place, program):
    stamp_bytes = _run(kind, 1, "each", 1, _stamp_bytes, place, program)

    def until_kept(paths, before, begun):
        return _until_kept(paths, before, begun, writers * lines_each, stamp_bytes)

    return _run(kind, writers, how, lines_each, until_kept, place, program)


def _run(kind, writers, how, lines_each, look, place, program):
    """What `look` makes of the log files' paths, their size before the gate opens, and the time when it does."""
    folder, gate = os.path.join(place.folder, "trial"), os.path.join(place.folder, "gate")
    os.mkdir(folder)
    os.mkfifo(gate)
    logger = kind(folder, program, gate, place)
    try:
        paths = logger.begin(writers, how, lines_each)
        _wait_for_writers(writers, program)
        # What a daemon says of itself goes into the same log: it is there before the gate opens.
        before = _settled_bytes(paths)
        pss_kib, _ = processes.memory_kib(processes.supervisors(program))
        begun = time.monotonic()
        os.close(os.open(gate, os.O_WRONLY))
        seen = look(paths, before, begun)
        return {"pss_kib": pss_kib, **seen} if isinstance(seen, dict) else seen
    finally:
        try:
            logger.end()
        finally:
            processes.end_all()
            os.unlink(gate)
            shutil.rmtree(folder)


def _stamp_bytes(paths, before, begun):
    """How much longer one line is in the file."""
    while _kept_bytes(paths) == before and time.monotonic() < begun + PATIENCE_S:
        time.sleep(0.01)
    return _settled_bytes(paths) - before - LINE_BYTES


def _until_kept(paths, before, begun, lines, stamp_bytes):
    wanted = before + lines * (LINE_BYTES + stamp_bytes)
    while (kept := _kept_bytes(paths)) < wanted:
        if time.monotonic() > begun + PATIENCE_S:
            raise Failed(f"{kept - before} of {wanted - before} bytes were kept after {PATIENCE_S} s")
        time.sleep(0.005)
    seconds = time.monotonic() - begun
    return {"seconds": seconds, "mib_per_s": lines * LINE_BYTES / seconds / 2**20, "lines_per_s": lines / seconds,
            "stamp_bytes": stamp_bytes}


def _settled_bytes(paths):
    """How much there is when nothing has been added for a while."""
    last, since, deadline = _kept_bytes(paths), time.monotonic(), time.monotonic() + PATIENCE_S
    while time.monotonic() < min(deadline, since + 0.3):
        time.sleep(0.02)
        if _kept_bytes(paths) != last:
            last, since = _kept_bytes(paths), time.monotonic()
    return last


def _wait_for_writers(writers, program):
    """All writers execute and stand at the gate."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if sum(processes.program(pid) == program for pid in processes.below()) >= writers:
            time.sleep(0.2)
            return
        time.sleep(0.05)
    raise Failed(f"not all of {writers} writers were started after {PATIENCE_S} s")
