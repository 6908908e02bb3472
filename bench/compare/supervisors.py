"""The supervisors that are compared: how each is told of N services, started, asked and ended.

A new one is a class of a dozen lines here, and its name in `ALL`.
"""

import os
import signal
import subprocess

# clinit's verb for the daemon in the foreground.
CLINIT_DAEMON = ["-d"]

# Where clinit's default configuration keeps what entries print, as `clinit daemon` does.
CLINIT_OUTPUT = "file:{folder}/log"


class Supervisor:
    """One trial's configuration, in a folder of its own."""

    name = ""
    # How the table calls it.
    title = ""
    packages = ()
    # The most services that one instance is made for.
    n_max = 10**9
    # The signal that ends it as gracefully as a signal can.
    end_signal = signal.SIGTERM
    # What it does with services that die often; in short.
    throttle = ""

    def __init__(self, folder, service, n, clinit=""):
        self.folder, self.service, self.n, self.clinit = folder, service, n, clinit

    def prepare(self):
        """Writes its configuration."""

    def command(self):
        """What is executed to bring everything up, and stays in the foreground."""
        raise NotImplementedError

    # The commands that a person types for service `i`; the last two wait until it is done.
    status = stop = start = None

    def stop_all(self, root):
        """Begins to end everything."""
        root.send_signal(self.end_signal)


class Floor(Supervisor):
    name, title, throttle = "floor", "floor", "none"

    def command(self):
        return [os.path.join(os.path.dirname(self.service), "floor"), self.service, str(self.n)]


class Scanned(Supervisor):
    """The family of daemontools: a folder with a file `run` for each service."""

    def prepare(self):
        self.scan = os.path.join(self.folder, "scan")
        os.mkdir(self.scan)
        for i in range(self.n):
            os.mkdir(self.path(i))
            os.symlink(self.service, os.path.join(self.path(i), "run"))

    def path(self, i):
        return os.path.join(self.scan, f"s{i:05}")


class S6(Scanned):
    name, title, packages = "s6", "s6", ("s6",)
    throttle = "at most one start a second"

    def command(self):
        return ["s6-svscan", "-c", str(self.n + 16), self.scan]

    def status(self, i):
        return ["s6-svstat", self.path(i)]

    def stop(self, i):
        return ["s6-svc", "-wD", "-d", self.path(i)]

    def start(self, i):
        return ["s6-svc", "-wu", "-u", self.path(i)]

    def stop_all(self, root):
        subprocess.run(["s6-svscanctl", "-t", self.scan], check=True)


class Runit(Scanned):
    name, title, packages, n_max = "runit", "runit", ("runit",), 1000
    end_signal = signal.SIGHUP
    throttle = "1 s if the service lived less than 1 s"

    def command(self):
        return ["runsvdir", self.scan]

    def status(self, i):
        return ["sv", "status", self.path(i)]

    def stop(self, i):
        return ["sv", "stop", self.path(i)]

    def start(self, i):
        return ["sv", "start", self.path(i)]


class Daemontools(Scanned):
    name, title, packages, n_max = "daemontools", "daemontools", ("daemontools",), 1000
    throttle = "1 s after each start"

    def command(self):
        return ["svscan", self.scan]

    def status(self, i):
        return ["svstat", self.path(i)]

    def stop(self, i):
        return ["svc", "-d", self.path(i)]

    def start(self, i):
        return ["svc", "-u", self.path(i)]

    def stop_all(self, root):
        root.send_signal(signal.SIGTERM)
        root.wait()
        subprocess.run(["svc", "-dx", *map(self.path, range(self.n))], check=True)


class Supervisord(Supervisor):
    name, title, packages, n_max = "supervisor", "supervisor", ("supervisor",), 1000
    throttle = "1, 2, 3 ... s if it lived less than 1 s"

    def prepare(self):
        self.file = os.path.join(self.folder, "supervisord.conf")
        with open(self.file, "w", encoding="utf-8") as file:
            file.write(f"""[supervisord]
nodaemon=true
minfds={3 * self.n + 512}
logfile=/dev/null
logfile_maxbytes=0
pidfile={self.folder}/pid
[unix_http_server]
file={self.folder}/socket
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl=unix://{self.folder}/socket
[program:s]
command={self.service} %(process_num)d
numprocs={self.n}
process_name=%(process_num)05d
autorestart=true
redirect_stderr=true
stdout_logfile=NONE
""")

    def command(self):
        return ["supervisord", "-c", self.file]

    def status(self, i):
        return ["supervisorctl", "-c", self.file, "status", f"s:{i:05}"]

    def stop(self, i):
        return ["supervisorctl", "-c", self.file, "stop", f"s:{i:05}"]

    def start(self, i):
        return ["supervisorctl", "-c", self.file, "start", f"s:{i:05}"]


class Clinit(Supervisor):
    """As the others run: no cgroup, nothing of what services print."""

    name, title = "clinit", "clinit, plain"
    throttle = "5 starts in 10 s, then 60 s"

    def properties(self):
        return [":::cgroup:no", ":::output:null"]

    def entries(self):
        return [f"bench:s{i:05}:run,:respawn:{self.service} {i}" for i in range(self.n)]

    def prepare(self):
        self.table = os.path.join(self.folder, "cltab")
        own = [f":::clstat:{self.folder}/clstat", "bench:::initdefault:run"]
        with open(self.table, "w", encoding="utf-8") as file:
            file.write("\n".join([*own, *self.properties(), *self.entries()]) + "\n")

    def _clinit(self, *words):
        return [self.clinit, "-s", os.path.join(self.folder, "socket"), *words]

    def command(self):
        return self._clinit(*CLINIT_DAEMON, "-c", self.table)

    def status(self, i):
        return self._clinit("status", f"s{i:05}")

    def stop(self, i):
        return self._clinit("stop", f"s{i:05}")

    def start(self, i):
        return self._clinit("start", f"s{i:05}")


class ClinitDefault(Clinit):
    """As `clinit daemon` runs a table without properties: a cgroup for each service, and a log."""

    name, title = "clinit-default", "clinit, default"

    def properties(self):
        return [f":::output:{CLINIT_OUTPUT.format(folder=self.folder)}"]


ALL = (Floor, Clinit, ClinitDefault, S6, Runit, Daemontools, Supervisord)


def chosen(names):
    """The classes that `--only` names, in the order of the table, always with the floor; `clinit` means both
    its configurations."""
    known = {kind.name for kind in ALL}
    unknown = set(names) - known
    if unknown:
        raise ValueError(f"no supervisor is called {', '.join(sorted(unknown))}: there are {', '.join(sorted(known))}")
    wanted = set(names or known) | {"floor"} | ({"clinit-default"} if "clinit" in names else set())
    return [kind for kind in ALL if kind.name in wanted]
