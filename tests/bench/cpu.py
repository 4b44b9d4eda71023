"""CPU time of a process and all that came from it, as the kernel counts it (/proc, utime + stime)."""

import contextlib

import psutil


def of_tree(pid: int) -> float:
    """Seconds. A child that has ended stays counted: its parent, which waited for it, keeps its time."""
    total = 0.0
    with contextlib.suppress(psutil.NoSuchProcess):
        root = psutil.Process(pid)
        for process in (root, *root.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                total += times.user + times.system + times.children_user + times.children_system
    return total
