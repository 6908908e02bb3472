"""What is measured of one supervisor with N services."""

import os
import select
import statistics
import subprocess
import time

from . import processes
from .trial import PATIENCE_S, REST_S, Failed, Trial

# Services that are killed one after the other, and commands that are timed.
KILLS, COMMANDS, CYCLES = 50, 20, 10

# One kind of command may take so long altogether; what was timed until then counts.
COMMANDS_S = 25


class Effort:
    """How often and how long: the whole, or a quick look."""

    def __init__(self, quick):
        self.trials, self.idle_s, self.kills = (1, 3, 20) if quick else (3, 10, KILLS)


def measure(kind, n, place, effort):
    """All figures of a supervisor, by name; what it cannot do is left out and told in `notes`."""
    figures = {"supervisor": kind.name, "n": n, "notes": []}
    if n > kind.n_max:
        figures["notes"].append(f"made for at most {kind.n_max} services")
        return figures
    ups, downs, gones = [], [], []
    try:
        for number in range(effort.trials):
            with Trial(kind, n, place) as trial:
                ups.append(trial.bring_up())
                time.sleep(REST_S)
                if number == effort.trials - 1:
                    _measure_running(trial, effort, figures)
                down, gone = trial.bring_down()
                downs.append(down)
                gones.append(gone)
    except Failed as failure:
        figures["notes"].append(str(failure))
    for name, values in (("up_ms", ups), ("stop_all_ms", downs), ("gone_ms", gones)):
        if values:
            figures[name] = statistics.median(values)
            figures[name.replace("_ms", "_each_ms")] = values
    return figures


def _measure_running(trial, effort, figures):
    pids = trial.supervising()
    pss, own = processes.memory_kib(pids)
    figures.update(processes=len(pids), pss_kib=pss, own_kib=own, pss_per_service_kib=pss / trial.n)

    cpu, wakes = processes.use(pids)
    time.sleep(effort.idle_s)
    cpu_then, wakes_then = processes.use(pids)
    per_minute = 60 / effort.idle_s
    figures.update(idle_cpu_ms_per_min=(cpu_then - cpu) * per_minute, idle_wakes_per_min=(wakes_then - wakes) * per_minute)

    # Each service is killed once here and once with all, so that no throttle that is worth the name acts.
    order = sorted(trial.stamps.pids, key=lambda number: number * 7919 % trial.n)
    latencies, deadline = [], time.monotonic() + COMMANDS_S
    for number in order[:effort.kills]:
        latencies.append(trial.kill(number))
        if time.monotonic() > deadline:
            break
        time.sleep(0.03)
    figures.update(restart_p50_ms=statistics.median(latencies), restart_worst_ms=max(latencies), restart_count=len(latencies))
    time.sleep(REST_S)

    if trial.supervisor.status:
        _measure_commands(trial, order[-CYCLES:], figures)
    figures["kill_all_ms"] = trial.kill_all()
    time.sleep(REST_S)


def _measure_commands(trial, numbers, figures):
    """Whole commands, from fork to exit, as a person or a script has them."""
    supervisor = trial.supervisor
    times = []
    deadline = time.monotonic() + COMMANDS_S
    for turn in range(COMMANDS):
        times.append(_time(supervisor.status(numbers[turn % len(numbers)])))
        if time.monotonic() > deadline:
            break
    figures["status_ms"] = statistics.median(times)

    times = []
    for number in numbers:
        times.append(_cycle(trial, number))
        if time.monotonic() > deadline + COMMANDS_S:
            break
    figures["stop_start_ms"] = statistics.median(times)
    time.sleep(REST_S)


def _time(command):
    """ms from just before the fork to the exit. (`subprocess` itself would look only after 0.5, 1.5, 3.5 ms ...)"""
    begun = time.monotonic_ns()
    done = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    pidfd = os.pidfd_open(done.pid)
    try:
        ended = select.poll()
        ended.register(pidfd, select.POLLIN)
        if not ended.poll(PATIENCE_S * 1000):
            done.kill()
            raise Failed(f"{' '.join(command)} did not end")
        taken = (time.monotonic_ns() - begun) / 1e6
    finally:
        os.close(pidfd)
        code = done.wait()
    # status of runit and s6 may use its exit status to tell of the service.
    if code > 3:
        raise Failed(f"{' '.join(command)} ended with {code}")
    return taken


def _cycle(trial, number):
    """Stops a service and starts it again; ms until its new process has stamped and both commands are done."""
    trial.stamps.drop()
    pidfd = os.pidfd_open(trial.stamps.pids[number])
    try:
        ended = select.poll()
        ended.register(pidfd, select.POLLIN)
        begun = time.monotonic_ns()
        _time(trial.supervisor.stop(number))
        if not ended.poll(PATIENCE_S * 1000):
            raise Failed(f"service {number} did not stop")
    finally:
        os.close(pidfd)
    _time(trial.supervisor.start(number))
    if not trial.stamps.take(1, PATIENCE_S):
        raise Failed(f"service {number} did not start again")
    return (time.monotonic_ns() - begun) / 1e6
