"""Results as markdown."""

from .figures import KILLS
from .goals import GOALS, goal_of
from .supervisors import ALL

# figure: how it is called, how it is written.
FIGURES = {
    "up_ms": ("bring-up, all running", "{:.0f} ms"),
    "pss_per_service_kib": ("memory of all supervising processes (PSS) per service", "{:.1f} KiB"),
    "restart_p50_ms": ("kill -9 to new process, p50", "{:.2f} ms"),
    "restart_worst_ms": ("kill -9 to new process, worst", "{:.2f} ms"),
    "kill_all_ms": ("kill all, all back", "{:.0f} ms"),
    "stop_all_ms": ("stop all, all down", "{:.0f} ms"),
    "gone_ms": ("stop all, supervisor gone", "{:.0f} ms"),
    "status_ms": ("status of one, whole command", "{:.1f} ms"),
    "stop_start_ms": ("stop and start of one, whole commands", "{:.1f} ms"),
    "idle_cpu_ms_per_min": ("idle, processor time a minute", "{:.1f} ms"),
    "idle_wakes_per_min": ("idle, wake-ups a minute", "{:.0f}"),
    "processes": ("supervising processes", "{:.0f}"),
    "load_before": ("load average of the machine just before", "{:.1f}"),
}

# Of these the ratio to the floor says something: the floor does the same work.
WITH_RATIO = ("up_ms", "restart_p50_ms", "restart_worst_ms", "kill_all_ms", "stop_all_ms", "gone_ms")

TITLE_OF = {kind.name: kind.title for kind in ALL}


def results(run):
    """All tables of a run."""
    rows = run["supervisors"]
    parts = [_of_size(n, [row for row in rows if row["n"] == n]) for n in sorted({row["n"] for row in rows})]
    if run.get("loggers"):
        parts.append(_of_loggers(run["loggers"]))
    return "\n\n".join(parts)


def _table(head, lines):
    text = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    return "\n".join(text + ["| " + " | ".join(line) + " |" for line in lines])


def _of_size(n, rows):
    floor = next((row for row in rows if row["supervisor"] == "floor"), {})
    shown = [row for row in rows if "up_ms" in row]
    lines = [[label, *(_cell(row, floor, figure, shape) for row in shown)] for figure, (label, shape) in FIGURES.items()]
    text = f"### {n} services\n\n" + _table(["", *(TITLE_OF[row["supervisor"]] for row in shown)], lines)
    notes = [f"- {TITLE_OF[row['supervisor']]}: {note}" for row in rows for note in row["notes"]]
    counts = sorted({row["restart_count"] for row in shown if "restart_count" in row})
    notes += ["- the worst of {} restarts: {}".format(count, ", ".join(
        TITLE_OF[row["supervisor"]] for row in shown if row.get("restart_count") == count)) for count in counts if count < KILLS]
    return text + ("\n\n" + "\n".join(notes) if notes else "")


def _cell(row, floor, figure, shape):
    value = row.get(figure)
    if value is None:
        return "-"
    text = shape.format(value)
    if figure in WITH_RATIO and floor.get(figure) and row is not floor:
        return f"{value / floor[figure]:.2f} x ({text})"
    return text


def goals(run):
    """How far clinit is: each goal, and what it came to for each number of services."""
    rows = {(row["supervisor"], row["n"]): row for row in run["supervisors"]}
    sizes = sorted({n for _, n in rows})
    parts = []
    for supervisor in ("clinit", "clinit-default"):
        if not any(name == supervisor for name, _ in rows):
            continue
        lines = []
        for figure in GOALS:
            goal, is_ratio = goal_of(supervisor, figure)
            said = f"{goal:g} x floor" if is_ratio else f"{FIGURES[figure][1].format(goal)}"
            cells = [_reached(rows.get((supervisor, n), {}), rows.get(("floor", n), {}), figure, goal, is_ratio) for n in sizes]
            lines.append([FIGURES[figure][0], said, *cells])
        parts.append(f"### {TITLE_OF[supervisor]}\n\n" + _table(["", "goal", *(f"N = {n}" for n in sizes)], lines))
    return "\n\n".join(parts)


def _reached(row, floor, figure, goal, is_ratio):
    value = row.get(figure)
    if value is None or is_ratio and not floor.get(figure):
        return "-"
    value = value / floor[figure] if is_ratio else value
    text = f"{value:.2f} x" if is_ratio else FIGURES[figure][1].format(value)
    # As it is printed, so that 1.20 of 1.2 is reached.
    return text if round(value, 2 if is_ratio else 1) <= goal else f"**{text}**"


def _of_loggers(rows):
    lines = []
    for row in rows:
        base = next((other for other in rows if other["way"] == row["way"] and other["logger"] == "s6-log"), {})
        if "mib_per_s" not in row:
            lines.append([row["way"], row["title"], row.get("note", "-"), "-", "-", "-"])
            continue
        ratio = row["mib_per_s"] / base["mib_per_s"] if base.get("mib_per_s") else 0
        lines.append([row["way"], row["title"], f"{row['mib_per_s']:.1f} MiB/s", f"{row['lines_per_s'] / 1000:.0f} thousand/s",
                      f"{ratio:.2f} x", f"{row['pss_kib']} KiB"])
    head = ["", "logger", "text", "lines of 100 bytes", "to s6-log", "memory (PSS) of all loggers and supervisors"]
    return "### Loggers\n\n" + _table(head, lines)
