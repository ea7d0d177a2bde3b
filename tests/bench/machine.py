# SPDX-License-Identifier: Apache-2.0
"""Processes on cores of their own, and what they have used."""
import os
import pathlib
import platform
import re
import subprocess
import time

TICK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
# The server that is measured has one core; everything else shares the other.
SERVER_CORE = 0
OTHER_CORE = (os.cpu_count() or 1) - 1
ANY_CORE = os.sched_getaffinity(0)


def wait_until(what, check, seconds=60):
    end = time.monotonic() + seconds
    while not (value := check()):
        if time.monotonic() > end:
            raise RuntimeError(f"not within {seconds} s: {what}")
        time.sleep(0.05)
    return value


def pin(pid, *cores):
    """All its threads; those to come inherit it."""
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        try:
            os.sched_setaffinity(int(task.name), cores)
        except ProcessLookupError:
            pass  # the thread has ended meanwhile


def pinned(*cores):
    """For subprocess: preexec_fn."""
    return lambda: os.sched_setaffinity(0, cores)


def ahead(*cores):
    """The same of who goes first there, where that is permitted: the time for
    which a generator waits for its core is no server's."""
    def place():
        os.sched_setaffinity(0, cores)
        try:
            os.setpriority(os.PRIO_PROCESS, 0, -10)
        except PermissionError:
            pass
    return place


def cpu_s(pid):
    """User and system time of all its threads, in seconds."""
    text = pathlib.Path(f"/proc/{pid}/stat").read_text()
    fields = text.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def rss_bytes(pid):
    fields = pathlib.Path(f"/proc/{pid}/statm").read_text().split()
    return int(fields[1]) * PAGE


def core_busy_s(core):
    """What a core has worked since boot, for whomever, stolen time included."""
    text = pathlib.Path("/proc/stat").read_text()
    row = re.search(rf"^cpu{core} (.*)$", text, re.M).group(1).split()
    n = [int(x) for x in row]
    return (n[0] + n[1] + n[2] + n[5] + n[6] + n[7]) / TICK


def said(*args):
    """The first line a program says of itself; '' when it is not there."""
    try:
        got = subprocess.run(args, capture_output=True, text=True, timeout=30,
                             check=False)
    except OSError:
        return ""
    return ((got.stdout or got.stderr).splitlines() or [""])[0].strip()


def about():
    """Conditions that belong beside every figure."""
    cpu = re.search(r"^model name\s*: (.*)$",
                    pathlib.Path("/proc/cpuinfo").read_text(), re.M)
    governor = pathlib.Path("/sys/devices/system/cpu/cpu0/cpufreq/"
                            "scaling_governor")
    return {"date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
            "kernel": platform.release(), "machine": platform.machine(),
            "cpu": cpu.group(1) if cpu else "unknown",
            "cores": os.cpu_count(),
            "governor": governor.read_text().strip()
            if governor.exists() else "not visible",
            "load_average": os.getloadavg()[0]}
