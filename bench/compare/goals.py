"""What clinit is to reach, plain and in its default configuration.

`ratio` goals are multiples of the floor's figure in the same run; the others are plain figures.
"""

# figure: (goal plain, goal default, whether they are ratios)
GOALS = {
    "up_ms": (1.2, 1.5, True),
    "pss_per_service_kib": (3.0, 4.0, False),
    "restart_p50_ms": (1.2, 1.4, True),
    "kill_all_ms": (1.2, 1.5, True),
    "stop_all_ms": (1.2, 1.5, True),
    "status_ms": (1.3, 1.3, False),
    "idle_wakes_per_min": (0.0, 0.0, False),
}

# The column of GOALS that a configuration has to reach.
COLUMN_OF = {"clinit": 0, "clinit-default": 1}


def goal_of(supervisor, figure):
    """The goal of a supervisor's figure and whether it is a ratio; None where there is none."""
    if supervisor not in COLUMN_OF or figure not in GOALS:
        return None
    return GOALS[figure][COLUMN_OF[supervisor]], GOALS[figure][2]
