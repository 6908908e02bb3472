"""The machine: what it is, what is missing on it, how busy it is."""

import json
import os
import platform
import shutil
import subprocess
import time

from .processes import read

# What a program of each Debian package is called.
PROGRAM_OF = {"s6": "s6-svscan", "runit": "runsvdir", "daemontools": "svscan", "supervisor": "supervisord", "gcc": "gcc"}


def provide(packages):
    """Installs what is missing, as root on Debian. The packages that are missing still."""
    missing = [package for package in packages if not shutil.which(PROGRAM_OF[package])]
    if missing and os.geteuid() == 0 and shutil.which("apt-get"):
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for words in (["update", "--quiet"], ["install", "--quiet", "--yes", "--no-install-recommends", *missing]):
            subprocess.run(["apt-get", *words], env=environment, check=False, stdout=subprocess.DEVNULL)
        missing = [package for package in packages if not shutil.which(PROGRAM_OF[package])]
    return missing


def describe(place):
    """What the figures depend on."""
    return {
        "at": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "kernel": platform.release(),
        "arch": platform.machine(),
        "cpu": _cpu(),
        "cpus": len(os.sched_getaffinity(0)),
        "memory_mib": int(_memory_kib() / 1024),
        "load_before": load(),
        "clinit": _line([place.clinit, "--version"]),
        "commit": _line(["git", "describe", "--always", "--dirty", "--exclude", "*"]),
        "versions": {name: version for name in PROGRAM_OF if (version := _line(["dpkg-query", "--show", "--showformat=${Version}", name]))},
        "spawns": json.loads(_line([os.path.join(place.folder, "spawns"), os.path.join(place.folder, "nothing")])),
    }


def load():
    """How many processes wanted to run, on average, in the last minute."""
    return os.getloadavg()[0]


def _line(command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=os.path.dirname(__file__))
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _cpu():
    for line in read("/proc/cpuinfo").splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return "unknown"


def _memory_kib():
    for line in read("/proc/meminfo").splitlines():
        if line.startswith("MemTotal:"):
            return int(line.split()[1])
    return 0
