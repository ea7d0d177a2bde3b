# SPDX-License-Identifier: Apache-2.0
"""Rounds of candidates that take turns, and what comes out of them."""
import statistics


class Candidate:
    """A server, how it is asked, and under which name it is shown."""

    def __init__(self, server, keys, label=None, **options):
        self.server, self.keys, self.options = server, keys, options
        self.label = label or server.name
        self.rounds = []


def faults(got):
    return got["hung_up"] + got["malformed"] + got["unanswered"]


def others(got, good=("200", "304")):
    """Answers that are neither 200 nor 304."""
    return sum(n for status, n in got["status"].items() if status not in good)


def measure(run, candidates, warm=True):
    """Each candidate once per round, in turn; a different one begins each."""
    if warm:
        for c in candidates:
            run.warm(c.server, c.keys, **c.options)
    for number in range(run.options.rounds):
        shift = number % len(candidates)
        for c in candidates[shift:] + candidates[:shift]:
            c.rounds.append(run.load(c.server, c.keys, run.options.seconds,
                                     **c.options))
    return candidates


def spread(values, form="{:.1f}"):
    if len(values) == 1:
        return form.format(values[0])
    middle, low, high = (form.format(x) for x in (
        statistics.median(values), min(values), max(values)))
    return f"{middle} ({low}–{high})"


def ratios(candidate, control, value):
    return [value(a) / value(b) if value(b) else 0.0
            for a, b in zip(candidate.rounds, control.rounds)]


COLUMNS = (
    ("answers/s", lambda g: g["per_second"], "{:.0f}"),
    ("server µs", lambda g: g["server_us"], "{:.2f}"),
    ("mongod µs", lambda g: g["mongod_us"], "{:.2f}"),
    ("p50 ms", lambda g: g["latency_us"]["p50"] / 1000, "{:.2f}"),
    ("p99 ms", lambda g: g["latency_us"]["p99"] / 1000, "{:.2f}"),
    ("p99.9 ms", lambda g: g["latency_us"]["p999"] / 1000, "{:.2f}"),
    ("max ms", lambda g: g["latency_us"]["max"] / 1000, "{:.1f}"),
    ("RSS MB", lambda g: g["rss_mb"], "{:.0f}"),
)


def report(run, name, title, candidates, control, more=()):
    """Prints medians (min–max) and the ratio of CPU to the control; keeps
    the raw rounds."""
    columns = COLUMNS + tuple(more)
    head = ["", *(c[0] for c in columns), "server ÷ control",
            "server + mongod ÷ control", "not 200/304", "faults", "disturbed"]
    rows = []
    for c in candidates:
        row = [c.label]
        row += [spread([value(g) for g in c.rounds], form)
                for _, value, form in columns]
        row += [spread(ratios(c, control, lambda g, n=name: g[n]), "{:.2f}")
                for name in ("server_us", "sum_us")]
        row += [str(sum(map(others, c.rounds))),
                str(sum(map(faults, c.rounds))),
                f"{max(g['disturbed'] for g in c.rounds):.0%}"]
        rows.append(row)
    print_table(f"{title} (control: {control.label})", head, rows)
    run.raw.append({"scenario": name, "title": title,
                    "control": control.label,
                    "candidates": [{"label": c.label, "options": c.options,
                                    "rounds": c.rounds} for c in candidates]})


def print_table(title, head, rows):
    print(f"\n### {title}\n")
    print("| " + " | ".join(head) + " |")
    print("|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(row) + " |")
    print(flush=True)
