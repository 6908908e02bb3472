"""docs/performance.md, made from the results of a run."""

from . import tables

# Above this many processes that want to run, figures of a machine say more of its other work.
LOAD_IDLE_MAX = 0.5

METHOD = """## Method

Every supervisor runs the same N services in a trial of its own, one after the other, in one run on one machine. The
service is a small static program that writes the time and its pid into a FIFO as its first act, and sleeps. So starts
are timed by what was started, and nothing is polled while time is measured. Services that end are known by the
FIFO's end. The *floor* is a loop in C that starts N services by vfork and exec, starts again what dies and does
nothing else. Only ratios to the floor of the same run are to be compared between machines.

Bring-up, stop and their ratios are medians of three trials; restarts are the median and the worst of 50 services killed one after the
other; commands are medians of 20 (status) and 10 (stop and start); idle is 10 s. The load average just before each column's
trials is in the tables: above 1 or 2 the machine did something else, and the figures of that column are too high. Memory is PSS of all processes that
are not services, divided by N. *clinit, plain* has no cgroups and drops what services print, as the others do;
*clinit, default* is a table without such properties.

What each figure means in detail: [bench/README.md](../bench/README.md). This page is made by `bench/run --markdown`.
"""


def page(run):
    """The whole page."""
    machine = run["machine"]
    spawns = machine["spawns"]
    parts = [
        "# Performance",
        "clinit beside a bare loop in C and the supervisors that Debian packages, measured in one run.",
        "## Machine\n\n"
        f"{machine['cpus']} x {machine['cpu']}, {machine['memory_mib'] / 1024:.0f} GiB, Linux {machine['kernel']} ({machine['arch']}); "
        f"{machine['at']}; clinit at commit {machine['commit'] or 'unknown'}; "
        + ", ".join(f"{name} {version}" for name, version in machine["versions"].items()) + ".\n\n"
        "A process that ends at once takes, from being made to being reaped, "
        + ", ".join(f"{how} {took['single_us']} µs ({took['burst_us']} in a burst)" for how, took in spawns.items()) + ".\n\n"
        + _caution(run),
        METHOD.strip(),
        "## Goals\n\nWhat is not reached is set in bold.\n\n" + _doubt(run) + tables.goals(run),
        "## Figures\n\nRatios are to the floor's figure in the same column of figures.\n\n" + tables.results(run),
    ]
    return "\n\n".join(parts) + "\n"


def _doubt(run):
    """Said where figures are read first: a floor that was disturbed makes every ratio too good."""
    if run["machine"]["load_before"] > LOAD_IDLE_MAX or run.get("quick"):
        return "**Not to be taken for reached or missed: see above how this was measured.**\n\n"
    return ""


def _caution(run):
    """How far the figures can be trusted."""
    load = run["machine"]["load_before"]
    text = f"Load average before the run: {load:.2f}."
    if load > LOAD_IDLE_MAX:
        text += " **The machine had other work while this was measured: the figures are rough.**"
    if run.get("quick"):
        text += " **This was a quick run: one trial each, 3 s idle, 20 restarts.**"
    return text
