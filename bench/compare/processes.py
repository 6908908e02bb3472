"""The processes that this run started, and what they use.

This process is a subreaper: whatever it starts stays below it, however often it forks and whoever of its
parents dies. So "started by us" is a walk over /proc, and needs no cgroup and no name.
"""

import ctypes
import os
import signal
import time

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36

_libc = ctypes.CDLL(None, use_errno=True)
_prctl = _libc.prctl


def adopt_orphans():
    """Makes this process the parent of all whose parents die below it."""
    if _prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "failed to become a subreaper")


def die_with_parent(number):
    """To be called in a child before exec: it gets this signal if the benchmark is killed."""
    _prctl(PR_SET_PDEATHSIG, number, 0, 0, 0)


def read(path):
    """A file of /proc, empty if its process has gone."""
    try:
        with open(path, "rb") as file:
            return file.read().decode(errors="replace")
    except OSError:
        return ""


def _stat(pid):
    """The fields of /proc/PID/stat from the state on, or None."""
    text = read(f"/proc/{pid}/stat")
    return text.rsplit(")", 1)[1].split() if ")" in text else None


def below(root=None):
    """The pids of all that live below `root` (this process), zombies left out."""
    root = root or os.getpid()
    children, dead = {}, set()
    for name in os.listdir("/proc"):
        fields = _stat(name) if name.isdigit() else None
        if fields:
            children.setdefault(int(fields[1]), []).append(int(name))
            if fields[0] in "ZX":
                dead.add(int(name))
    found, left = [], [root]
    while left:
        for pid in children.get(left.pop(), ()):
            left.append(pid)
            if pid not in dead:
                found.append(pid)
    return found


def program(pid):
    """The path of what a process executes, empty if it has gone."""
    try:
        return os.readlink(f"/proc/{pid}/exe")
    except OSError:
        return ""


def supervisors(service):
    """The pids below this process that do not execute `service`."""
    return [pid for pid in below() if program(pid) not in ("", service)]


def reap():
    """Buries what has died. Whether anything is left that lives, or has to be buried by somebody else."""
    while True:
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                return True
        except ChildProcessError:
            return False


def _field(text, key):
    for line in text.splitlines():
        if line.startswith(key):
            return int(line.split()[1])
    return 0


def memory_kib(pids):
    """Proportional and unshared memory of processes, in KiB."""
    texts = [read(f"/proc/{pid}/smaps_rollup") for pid in pids]
    pss = sum(_field(text, "Pss:") for text in texts)
    own = sum(_field(text, "Private_Dirty:") + _field(text, "Private_Clean:") for text in texts)
    return pss, own


def use(pids):
    """Processor time in ms and wake-ups of all threads of processes, since they were started."""
    nanos = wakes = 0
    for pid in pids:
        try:
            threads = os.listdir(f"/proc/{pid}/task")
        except OSError:
            continue
        for thread in threads:
            nanos += int((read(f"/proc/{pid}/task/{thread}/schedstat") or "0").split()[0])
            wakes += _field(read(f"/proc/{pid}/task/{thread}/status"), "voluntary_ctxt_switches:")
    return nanos / 1e6, wakes


def cgroups_of(pids):
    """The folders of the cgroups (version 2) that processes are in and this process is not."""
    mount = next((line.split()[4] for line in read("/proc/self/mountinfo").splitlines()
                  if " - cgroup2 " in line), None)
    if mount is None:
        return set()
    paths = set()
    for pid in ["self", *pids]:
        for line in read(f"/proc/{pid}/cgroup").splitlines():
            if line.startswith("0::"):
                paths.add((pid == "self", mount + line[3:].rstrip("/")))
    own = {path for is_own, path in paths if is_own}
    return {path for _, path in paths} - own


def end_all(patience_s=10):
    """Kills everything below this process, supervisors and services at once, until nothing is left."""
    folders, deadline = set(), time.monotonic() + patience_s
    while reap():
        pids = below()
        folders |= cgroups_of(pids[:8])
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        if time.monotonic() > deadline:
            raise RuntimeError(f"these processes do not die: {pids}")
        time.sleep(0.01)
    for folder in folders:
        _remove_cgroups(folder)


def _remove_cgroups(folder):
    """Removes what a killed supervisor leaves of cgroups: the one of an entry, its siblings, their parent."""
    parent = os.path.dirname(folder)
    if not os.path.basename(parent).startswith("clinit-"):
        return
    try:
        for name in os.listdir(parent):
            path = os.path.join(parent, name)
            if os.path.isdir(path):
                os.rmdir(path)
        os.rmdir(parent)
    except OSError:
        pass  # Another took it away, or is in it.
