#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Parked records as people deal with them: listed, shown, retried, discarded.

    BUILD=build/release test_parked.py [--seed N] [NAME]...

The projector on an archive and an LMDB store. The view is the template's, a
queue in front of a shop: who comes when it is full is rejected, and more room is
other code (an option), which a person adopts.
"""

import base64
import json
import subprocess
import sys

from test_pipeline import BUILD, expect, main, whole_lines

TOPIC = "template_queue"
LIST = ["projection", "generation", "key", "topic", "partition", "offset",
        "type", "cause", "at", "queued"]  # fmt: skip
TESTS = []


def test(function):
    TESTS.append(function)
    return function


class Shop:
    """The template's view alone, and the events of its topic."""

    def __init__(self, place, room=2):
        self.place = place
        self.counts = {}
        modules = place.directory / "modules"
        modules.mkdir()
        subprocess.run(
            ["cc", "-shared", "-o", modules / "template.so",
             BUILD / "projections" / "template" / "template.o"], check=True,
        )  # fmt: skip
        self.modules = modules
        self.conf = place.directory / "shop.conf"
        self.room(room)

    def room(self, most):
        self.conf.write_text(
            f'projector {{ modules = "{self.modules}" }}\n'
            f'projection "template" {{ max_length = {most} }}\n'
        )

    def line(self, partition=0, **record):
        """One record, in the archive's form; its offset."""
        offset = self.counts.get(partition, 0)
        self.counts[partition] = offset + 1
        file = self.place.events / TOPIC / f"{partition}.ndjson"
        file.parent.mkdir(parents=True, exist_ok=True)
        line = {"topic": TOPIC, "partition": partition, "offset": offset,
                "timestamp": 1700000000000 + offset, "headers": {},
                **record}  # fmt: skip
        with open(file, "a", encoding="utf-8") as out:
            out.write(json.dumps(line) + "\n")
        return offset

    def event(self, kind, shop, ticket, partition=0, **more):
        data = {"shopId": shop, "ticket": ticket}
        if kind == "QueueJoined":
            data["people"] = 1
        value = {"eventType": kind, "data": data}
        return self.line(partition, key=shop, value=value, **more)

    def joined(self, shop, ticket, **more):
        return self.event("QueueJoined", shop, ticket, **more)

    def left(self, shop, ticket, **more):
        return self.event("QueueLeft", shop, ticket, **more)

    def run(self, *args, status=0):
        return self.place.run(*args, "-c", self.conf, status=status)

    def start(self):
        return self.place.start("run", "-c", self.conf)

    def rows(self, *args, status=0):
        out = self.run(*args, "--json", status=status).stdout
        return [json.loads(line) for line in out.splitlines()]

    def parked(self, *args):
        return self.rows("parked", "list", "template", *args)

    def waiting(self, shop):
        """Tickets in the queue of a shop, as served."""
        out = self.run("dump", "template", shop).stdout
        return [item["ticket"] for item in json.loads(out)["waiting"]] \
            if out else None  # fmt: skip

    def status(self):
        return self.rows("status")[0]["parked"]


def full(place):
    """A queue of two that three wanted to join, and what came afterwards."""
    shop = Shop(place)
    shop.joined("s", "a")
    shop.joined("s", "b")
    head = shop.joined("s", "c", headers={"traceparent": "00-1-2-01"})
    shop.left("s", "a")
    shop.joined("s", "d")
    shop.joined("other", "x")
    shop.run("run", "--until-end")
    return shop, head


# ---- Looking ------------------------------------------------------------------


@test
def what_cannot_be_applied_heads_a_queue_that_is_listed_and_counted(place):
    shop, head = full(place)
    expect(shop.waiting("s") == ["a", "b"], shop.waiting("s"))
    expect(shop.waiting("other") == ["x"], "another key was held back")
    rows = shop.parked()
    expect(len(rows) == 1 and list(rows[0]) == LIST, rows)
    row = rows[0]
    at = row.pop("at")
    expect(at.endswith("Z") and at.startswith("20"), at)
    cause = row.pop("cause")
    expect(cause, "no cause")
    expect(row == {"projection": "template", "generation": 1, "key": "s",
                   "topic": TOPIC, "partition": 0, "offset": head,
                   "type": "QueueJoined", "queued": 2}, row)  # fmt: skip
    expect(shop.status() == 3, shop.rows("status"))
    expect(shop.parked("s") and not shop.parked("other"))
    for found in (("--topic", TOPIC), ("--partition", "0"),
                  ("--type", "QueueJoined"), ("--since", "1h"),
                  ("--cause", cause[1:]), ("--generation", "1")):
        expect(len(shop.parked(*found)) == 1, found)
    for lost in (("--topic", "x"), ("--partition", "1"), ("--before", "1h"),
                 ("--type", "QueueLeft"), ("--cause", "no such cause")):
        expect(not shop.parked(*lost), lost)
    expect("KEY" in shop.run("parked", "list", "template").stdout)


@test
def the_records_of_a_queue_are_shown_whole_and_in_order(place):
    shop, head = full(place)
    lines = [json.loads(line) for line in whole_lines(place.events)]
    want = [line for line in lines
            if line["key"] == "s" and line["offset"] >= head]  # fmt: skip
    shown = shop.rows("parked", "show", "template", "s")
    expect(len(shown) == 3, shown)
    for row, line in zip(shown, want):
        for name, value in line.items():
            expect(row[name] == value, name, row, line)
        expect(row["unit"] == "s" and row["cause"] and row["at"], row)
    expect("full" in shown[0]["detail"], shown[0])
    # They can be folded as they are.
    text = shop.run("parked", "show", "template", "s", "--json").stdout
    folded = subprocess.run(
        place.command("fold", "template", "-s",
                      f"projector.modules={shop.modules}"),
        input=text, text=True, capture_output=True, check=True)  # fmt: skip
    expect([i["ticket"] for i in json.loads(folded.stdout)["waiting"]]
           == ["c", "d"], folded.stdout)  # fmt: skip
    plain = shop.run("parked", "show", "template", "s").stdout
    expect(f"{TOPIC}/0@{head}" in plain and "traceparent: 00-1-2-01" in plain,
           plain)  # fmt: skip
    done = shop.run("parked", "show", "template", "other", status=1)
    expect("nothing is parked under 'other'" in done.stderr, done.stderr)


@test
def keys_that_are_no_text_and_records_without_one_have_names(place):
    shop = Shop(place)
    binary = base64.b64encode(b"\xff\x00k").decode()
    shop.line(keyBase64=binary, valueBase64="bm8ganNvbg==")
    alone = shop.line(key=None, valueBase64="bm8ganNvbg==")
    shop.line(key=None, valueBase64="bm8ganNvbg==")
    shop.joined("s", "a")
    shop.run("run", "--until-end")
    names = {row["key"]: row for row in shop.parked()}
    expect(set(names) == {f"base64:{binary}", f"{TOPIC}/0@{alone}",
                          f"{TOPIC}/0@{alone + 1}"}, names)  # fmt: skip
    for name, row in names.items():
        expect(row["queued"] == 0, row)
        shown = shop.rows("parked", "show", "template", name)
        expect([r["offset"] for r in shown] == [row["offset"]], shown)
        expect(shown[0]["valueBase64"] == "bm8ganNvbg==", shown)
    process = shop.start()
    for name in names:
        shop.run("parked", "discard", "template", name, "--reason", "no JSON")
    expect(not shop.parked(), shop.parked())
    place.stop(process)


# ---- Retrying ------------------------------------------------------------------


@test
def a_retry_applies_in_order_up_to_what_is_refused_again(place):
    shop, _ = full(place)
    shop.room(3)
    done = shop.run("run", "--until-end", status=65)
    expect("other code" in done.stderr and "adopt template" in done.stderr,
           done.stderr)  # fmt: skip
    shop.run("generation", "adopt", "template", status=64)
    shop.run("generation", "adopt", "template", "--reason", " ", status=64)
    shop.run("generation", "adopt", "template", "--reason", "more room")
    process = shop.start()
    last = shop.joined("s", "e")
    place.wait_for(lambda: shop.parked()[0]["queued"] == 3, "it to queue")
    # c, then a leaves, then d is third; e finds it full again.
    rows = shop.rows("parked", "retry", "template", status=1)
    expect(rows[0]["state"] == "failed" and "full" in rows[0]["result"], rows)
    expect(shop.waiting("s") == ["b", "c", "d"], shop.waiting("s"))
    rows = shop.parked()
    expect(rows[0]["offset"] == last and rows[0]["queued"] == 0, rows)
    place.stop(process)


@test
def an_empty_queue_goes_and_its_document_flows_again(place):
    shop, _ = full(place)
    shop.room(4)
    shop.run("generation", "adopt", "template", "--reason", "more room")
    process = shop.start()
    rows = shop.rows("parked", "retry", "template", "s")
    expect(len(rows) == 1 and rows[0]["state"] == "done" and
           rows[0]["records"] == 3 and rows[0]["action"] == "retry", rows)
    expect(shop.waiting("s") == ["b", "c", "d"], shop.waiting("s"))
    expect(not shop.parked() and shop.status() == 0, shop.parked())
    shop.joined("s", "e")
    place.wait_for(lambda: shop.waiting("s") == ["b", "c", "d", "e"], "e")
    audit = shop.rows("parked", "show", "template", "--audit")
    expect([row["action"] for row in audit] == ["adopted"] + 3 * ["retried"],
           audit)  # fmt: skip
    expect(audit[0]["reason"] == "more room" and "@" in audit[0]["by"], audit)
    expect(len(shop.rows("parked", "show", "template", "s", "--audit")) == 3)
    expect("adopted by" in shop.run("parked", "show", "template",
                                    "--audit").stdout)  # fmt: skip
    # Nothing at all is fine, a name that names nothing is a mistake.
    shop.run("parked", "retry", "template")
    shop.run("parked", "retry", "template", "s", status=1)
    place.stop(process)


@test
def a_retry_that_is_refused_says_why_and_changes_nothing(place):
    shop, head = full(place)
    process = shop.start()
    done = shop.run("parked", "retry", "template", "s", status=1)
    expect("failed" in done.stdout and "full" in done.stdout, done.stdout)
    rows = shop.parked()
    expect(rows[0]["offset"] == head and rows[0]["queued"] == 2, rows)
    expect(shop.waiting("s") == ["a", "b"], shop.waiting("s"))
    place.stop(process)


@test
def what_nobody_runs_is_done_once_when_somebody_does(place):
    shop, _ = full(place)
    shop.room(4)
    shop.run("generation", "adopt", "template", "--reason", "more room")
    for _ in range(2):  # the second waits for what the first has asked
        done = shop.run("parked", "retry", "template", "--wait", "1", status=1)
        expect(f"no running projector owns {TOPIC}/0" in done.stderr,
               done.stderr)  # fmt: skip
    done = shop.run("parked", "retry", "template", "--wait", "0")
    expect("waiting" in done.stdout, done.stdout)
    expect(len(shop.parked()) == 1, "it was done by nobody")
    process = shop.start()
    place.wait_for(lambda: not shop.parked(), "the request to be carried out")
    expect(shop.waiting("s") == ["b", "c", "d"], shop.waiting("s"))
    place.wait_for(lambda: process.log.read_text().count("event=request.done")
                   == 1, "one answer")  # fmt: skip
    place.stop(process)


@test
def a_dry_run_asks_for_nothing(place):
    shop, head = full(place)
    process = shop.start()
    for verb in (["retry", "template"],
                 ["discard", "template", "s", "--reason", "late"]):
        done = shop.run("parked", *verb, "--dry-run")
        expect(f"would {verb[0]} s {TOPIC}/0@{head} (3 records)" in done.stdout,
               done.stdout)  # fmt: skip
        rows = shop.rows("parked", *verb, "--dry-run")
        expect(rows[0]["state"] == "dry-run", rows)
    # What is asked afterwards is the only request there is.
    shop.run("parked", "retry", "template", status=1)
    place.wait_for(lambda: process.log.read_text().count("event=request.done")
                   == 1, "one answer")  # fmt: skip
    expect(shop.parked()[0]["queued"] == 2, shop.parked())
    place.stop(process)


# ---- Discarding -----------------------------------------------------------------


@test
def a_discard_gives_up_the_head_applies_the_rest_and_keeps_it_whole(place):
    shop, head = full(place)
    process = shop.start()
    shop.run("parked", "discard", "template", "s", status=64)
    shop.run("parked", "discard", "template", "s", "--reason", "", status=64)
    shop.run("parked", "discard", "template", "--reason", "late", status=64)
    shop.run("parked", "discard", "template", "x", "--reason", "late",
             status=1)  # fmt: skip
    expect(len(shop.parked()) == 1, "a refused command did something")
    done = shop.run("parked", "discard", "template", "s", "--reason", "late")
    expect("done" in done.stdout, done.stdout)
    expect(shop.waiting("s") == ["b", "d"], shop.waiting("s"))
    expect(not shop.parked(), shop.parked())
    audit = shop.rows("parked", "show", "template", "s", "--audit")
    expect([row["action"] for row in audit]
           == ["discarded", "retried", "retried"], audit)  # fmt: skip
    kept = audit[0]
    expect(kept["reason"] == "late" and kept["offset"] == head and
           kept["value"]["data"]["ticket"] == "c" and
           kept["headers"] == {"traceparent": "00-1-2-01"}, kept)
    place.stop(process)


@test
def a_discard_is_done_whatever_becomes_of_the_rest(place):
    shop = Shop(place)
    for ticket in "abcd":
        shop.joined("s", ticket)
    shop.run("run", "--until-end")
    process = shop.start()
    expect(shop.parked()[0]["queued"] == 1, shop.parked())
    cause = shop.parked()[0]["cause"]
    done = shop.run("parked", "discard", "template", "s", "--reason", "late")
    expect("done: discard done: applied 0, discarded 1" in done.stdout and
           "@3" not in done.stdout and "the record at 3" in done.stdout,
           done.stdout)  # fmt: skip
    # The next one heads the queue, and its row says why.
    row = shop.parked()[0]
    expect((row["offset"], row["queued"], row["cause"]) == (3, 0, cause), row)
    shop.run("parked", "retry", "template", "s", status=1)
    shown = shop.rows("parked", "show", "template", "s")
    expect(shown[0]["refused"] == 2 and shown[0]["refusedAt"] > shown[0]["at"],
           shown)  # fmt: skip
    expect("2 times by then" in shop.run("parked", "show", "template",
                                         "s").stdout)  # fmt: skip
    expect(shop.waiting("s") == ["a", "b"], shop.waiting("s"))
    place.stop(process)


@test
def of_several_queues_of_a_key_one_has_to_be_named(place):
    shop = Shop(place, room=1)
    for partition in range(2):
        shop.joined("s", f"a{partition}", partition=partition)
        shop.joined("s", f"b{partition}", partition=partition)
    shop.run("run", "--until-end")
    queues = shop.parked()
    expect(len(queues) == 2, queues)
    discard = ("parked", "discard", "template", "s", "--reason", "late")
    done = shop.run(*discard, status=64)
    expect("--partition" in done.stderr and "--all" in done.stderr, done.stderr)
    expect(len(shop.parked()) == 2, "a refused command did something")
    process = shop.start()
    shop.run(*discard, "--partition", "1", status=None)
    left = {row["partition"]: row["offset"] for row in shop.parked()}
    expect(left.get(0) == queues[0]["offset"], left)
    expect(left.get(1) != queues[1]["offset"], left)
    shop.run(*discard, "--all", status=None)
    expect(shop.waiting("s"), "the document is gone")
    place.stop(process)


# ---- Everything -----------------------------------------------------------------


@test
def in_every_view_list_and_status_say_the_same(place):
    place.everything(2500, hostile=40)
    place.run("run", "--until-end")
    counts = {row["projection"]: row["parked"] for row in place.rows("status")}
    expect(len(counts) == 10 and sum(counts.values()) > 50, counts)
    for name, count in counts.items():
        out = place.run("parked", "list", name, "--json").stdout
        rows = [json.loads(line) for line in out.splitlines()]
        expect(sum(row["queued"] + 1 for row in rows) == count, name, rows)
        for row in place.random.sample(rows, min(2, len(rows))):
            shown = place.run("parked", "show", name, row["key"], "--json",
                              "--topic", row["topic"], "--partition",
                              str(row["partition"])).stdout  # fmt: skip
            offsets = [json.loads(line)["offset"]
                       for line in shown.splitlines()]  # fmt: skip
            expect(len(offsets) == row["queued"] + 1, row, offsets)
            expect(offsets == sorted(offsets) and
                   offsets[0] == row["offset"], row, offsets)  # fmt: skip


@test
def wrong_words_are_a_usage_error(place):
    for words in (["parked"], ["parked", "lst", "stock"], ["parked", "list"],
                  ["parked", "show", "stock"],
                  ["parked", "list", "stock", "--since", "1x"],
                  ["parked", "list", "stock", "--partition", "-1"],
                  ["parked", "retry", "stock", "--wait", "long"],
                  ["generation"], ["generation", "promot", "stock"]):
        done = place.run(*words, status=64)
        expect("projector " + words[0] in done.stderr, words, done.stderr)
    done = place.run("parked", "list", "stock", status=1)
    expect(done.stderr, "an absent store is told")


if __name__ == "__main__":
    sys.exit(main(TESTS))
