#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Generations from outside: rebuilt, promoted, rolled back, killed, watched.

    BUILD=build/release test_generations.py [--seed N] [NAME]...

The projector and the query API on an archive and an LMDB store, as in
test_pipeline.py.
"""

import http.client
import json
import re
import subprocess
import sys
import time

from test_pipeline import BUILD, VIEWS, expect, main

QUERYAPI = (BUILD / "queryapi" / "queryapi").resolve()
LISTENS = re.compile(r"event=listen listener=data address=127\.0\.0\.1:(\d+)")
TESTS = []


def test(function):
    TESTS.append(function)
    return function


def generations(place, name="stock"):
    rows = place.run("generation", "list", name, "--json").stdout
    return {row["generation"]: row for row in map(json.loads,
                                                  rows.splitlines())}


def live(place, name="stock"):
    return [n for n, row in generations(place, name).items() if row["live"]]


def lags(place):
    """By projection: events that its live generation is behind."""
    found = {}
    for row in place.rows("status"):
        if row["live"]:
            found[row["projection"]] = (found.get(row["projection"], 0) +
                                        row["lag"])  # fmt: skip
    return found


def said(process, words):
    return words in process.log.read_text()


def running(place, upto=0.5):
    """A projector that has applied the first part of the archive."""
    process = place.start("run")
    place.append(limit=upto)
    place.wait_for_end()
    return process


# ---- Who feeds the live one lets go of it -----------------------------------


@test
def an_owner_without_anything_to_do_lets_go_for_a_promotion(place):
    place.generate(1500)
    process = running(place, 1.0)
    place.run("rebuild", "stock")
    expect(live(place) == [2], generations(place))
    # It noticed by looking: there was nothing to write.
    place.wait_for(lambda: said(process, "event=generation.follows"), "2")
    log = process.log.read_text()
    expect(log.index("event=fenced") < log.index("event=generation.follows"),
           log)  # fmt: skip
    place.check(["stock"])
    place.stop(process)


class Reader:
    """A client that looks at some documents again and again."""

    def __init__(self, place, keys):
        log = place.directory / "queryapi.log"
        with open(log, "w") as out:
            self.process = subprocess.Popen(
                [QUERYAPI, "run", "-s", f"store.path={place.store}",
                 "-s", "queryapi.listen=127.0.0.1:0",
                 "-s", "queryapi.admin_listen=127.0.0.1:0"],
                stderr=out, cwd=place.directory)  # fmt: skip
        self.process.log = log
        place.processes.append(self.process)
        place.wait_for(lambda: LISTENS.search(log.read_text()), "a listener")
        port = int(LISTENS.search(log.read_text())[1])
        self.client = http.client.HTTPConnection("127.0.0.1", port)
        self.keys = keys
        self.newest = {}  # (key, source) → offset
        self.tags = {}  # key → generations of its entity tags
        self.reads = 0

    def look(self):
        for key in self.keys:
            self.client.request("GET", "/v1/stock/" + key.replace(":", "%3A"))
            answer = self.client.getresponse()
            answer.read()
            self.reads += 1
            if answer.status != 200:
                continue
            tag = answer.getheader("ETag").strip('"')
            self.tags.setdefault(key, []).append(int(tag.split(".")[0]))
            places = answer.getheader("Projection-Position")
            for source, offset in re.findall(r'"([^"@]+)@(\d+)"', places):
                before = self.newest.get((key, source), -1)
                expect(int(offset) >= before, key, "went back on", source,
                       "from", before, "to", offset, "tag", tag)  # fmt: skip
                self.newest[key, source] = int(offset)


@test
def no_reader_goes_back_when_a_rebuilt_generation_goes_live(place):
    place.generate(6000)
    process = running(place, 0.3)
    keys = [json.loads(line)["id"] for line in
            place.run("dump", "stock").stdout.splitlines()]
    reader = Reader(place, place.random.sample(keys, min(8, len(keys))))
    for _ in range(2):
        rebuild = place.start("rebuild", "stock")
        while rebuild.poll() is None:
            place.append(0.003)
            reader.look()
        expect(rebuild.wait() == 0, rebuild.log.read_text())
        end = time.monotonic() + 1.5  # the readers' and the owner's turn
        while time.monotonic() < end:
            place.append(0.002)
            reader.look()
    seen = {generation for tags in reader.tags.values() for generation in tags}
    expect(seen == {1, 2, 3}, "the switches were not seen:", seen)
    place.append()
    place.wait_for_end()
    place.check()
    place.stop(process)


@test
def two_projections_are_rebuilt_at_once_and_the_runner_follows_both(place):
    place.generate(4000)
    process = running(place)
    both = [place.start("rebuild", name) for name in ("stock", "sales")]
    for rebuild in both:
        place.append(0.1)
        expect(rebuild.wait(60) == 0, rebuild.log.read_text())
    for name in ("stock", "sales"):
        expect(live(place, name) == [2], generations(place, name))
    place.append()
    place.wait_for_end()
    place.check()
    place.stop(process)


# ---- Killed -------------------------------------------------------------------


@test
def killed_while_the_live_one_is_held_still_the_same_command_goes_on(place):
    place.generate(3000)
    process = running(place)
    rebuild = place.start("rebuild", "stock")
    place.wait_for(lambda: said(rebuild, "held still"), "the fence")
    rebuild.kill()
    rebuild.wait()
    expect(live(place) == [1], generations(place))
    place.wait_for(lambda: said(process, "event=fenced"), "the owner")
    place.append(limit=0.8)
    # What is held still is this projection, not its siblings.
    place.wait_for(lambda: [name for name, lag in lags(place).items()
                            if lag] == ["stock"], "the siblings")
    place.check([name for name in VIEWS if name != "stock"])
    done = place.run("rebuild", "stock")
    expect("going on with generation 2" in done.stderr, done.stderr)
    expect(live(place) == [2], generations(place))
    place.append()
    place.wait_for_end()
    place.check()
    place.stop(process)


@test
def an_unfinished_rebuild_can_be_promoted(place):
    place.everything(6000)
    place.run("run", "--until-end")
    done = place.run("generation", "promote", "stock", status=1)
    expect("rebuild stock" in done.stderr, done.stderr)
    rebuild = place.start("rebuild", "stock", "-s",
                          "projector.batch_documents=2")  # fmt: skip
    place.wait_for(lambda: 2 in generations(place), "generation 2")
    rebuild.kill()
    rebuild.wait()
    expect(live(place) == [1], "it was done before it could be killed")
    done = place.run("generation", "promote", "stock")
    expect("from generation 1 to 2" in done.stderr, done.stderr)
    expect(live(place) == [2], generations(place))
    place.check(["stock"])
    # Once more: nothing to do.
    place.run("generation", "promote", "stock", "2")
    expect(live(place) == [2], generations(place))


# ---- Back ---------------------------------------------------------------------


@test
def a_rollback_catches_up_first_and_the_runner_follows(place):
    place.generate(3000)
    process = running(place, 0.4)
    place.run("rebuild", "stock")
    place.wait_for(lambda: said(process, "event=generation.follows"), "2")
    place.append(limit=0.7)
    place.wait_for_end()
    # Generation 1 is behind by all of that.
    done = place.run("generation", "rollback", "stock")
    expect("from generation 2 to 1" in done.stderr, done.stderr)
    rows = generations(place)
    expect(rows[1]["live"] and rows[2]["previous"], rows)
    place.check(["stock"])
    place.append()
    place.wait_for_end()
    place.check()
    # Given again, it does not go forward to what was left.
    done = place.run("generation", "rollback", "stock")
    expect(live(place) == [1], done.stderr)
    place.run("generation", "promote", "stock", "2")
    expect(live(place) == [2], generations(place))
    place.check(["stock"])
    place.stop(process)


@test
def a_rollback_needs_a_generation_that_was_live_and_is_of_this_code(place):
    place.everything(1000)
    place.run("run", "--until-end")
    done = place.run("generation", "rollback", "stock", status=1)
    expect("no generation was live before 1" in done.stderr, done.stderr)
    done = place.run("generation", "rollback", "stock", "7", status=1)
    expect("7 does not exist" in done.stderr, done.stderr)
    place.run("rebuild", "stock")
    other = ("-s", "topic.stock.zone=UTC")
    done = place.run("generation", "rollback", "stock", *other, status=65)
    expect("other code" in done.stderr, done.stderr)
    expect(live(place) == [2], generations(place))
    rebuild = place.start("rebuild", "stock", "-s",
                          "projector.batch_documents=1")  # fmt: skip
    place.wait_for(lambda: 3 in generations(place), "generation 3")
    rebuild.kill()
    rebuild.wait()
    if live(place) == [2]:
        done = place.run("generation", "rollback", "stock", "3", status=1)
        expect("has never been live" in done.stderr, done.stderr)
    place.run("generation", "rollback", "stock", "x", status=64)
    place.run("generation", "rollback", status=64)


# ---- At once, and shown ---------------------------------------------------------


@test
def of_two_rebuilds_at_once_one_is_live_and_the_documents_are_right(place):
    place.generate(4000)
    process = running(place)
    both = [place.start("rebuild", "stock") for _ in range(2)]
    for rebuild in both:
        place.append(0.1)
        rebuild.wait(60)
    done = sorted(rebuild.returncode for rebuild in both)
    expect(done[0] == 0 and done[1] in (0, 1, 65),
           *(rebuild.log.read_text() for rebuild in both))  # fmt: skip
    for rebuild in both:
        place.processes.remove(rebuild)
    place.append()
    place.wait_for_end()
    place.check()
    place.stop(process)


@test
def generations_are_listed_with_their_code(place):
    place.everything(500)
    place.run("run", "--until-end")
    place.run("rebuild", "stock")
    rows = generations(place)
    expect(sorted(rows) == [1, 2], rows)
    for number, row in rows.items():
        expect(list(row) == ["projection", "version", "generation", "live",
                             "previous", "state", "collection", "code",
                             "running", "created"], row)  # fmt: skip
        expect(row["running"] and row["state"] == "ready", row)
        expect(row["collection"] == f"stock.{number}", row)
    expect(not rows[1]["live"] and rows[1]["previous"], rows)
    expect(rows[2]["live"] and not rows[2]["previous"], rows)
    other = place.run("generation", "list", "stock", "--json", "-s",
                      "topic.stock.zone=UTC").stdout  # fmt: skip
    expect('"running":true' not in other, other)
    expect("GENERATION" in place.run("generation", "list", "stock").stdout)
    place.run("generation", "list", "nothing_like_it", status=78)


if __name__ == "__main__":
    sys.exit(main(TESTS))
