"""Supervisors of processes, side by side: the same services, the same measurements, one run."""
