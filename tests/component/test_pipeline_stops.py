#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a projector stops over by name: an archive that is not what it was.

    BUILD=build/release test_pipeline_stops.py [--seed N] [NAME]...
"""

import re
import shutil
import sys

from test_pipeline import BUILD, expect, main

TESTS = []


def test(function):
    TESTS.append(function)
    return function


def stops(place, *words):
    done = place.run("run", "--until-end", status=65)
    for line in done.stderr.splitlines():
        if all(word in line for word in words):
            return
    raise AssertionError(f"no line with {words}:\n{done.stderr}")


def longest(place, topic):
    return max((place.events / topic).glob("*.ndjson"),
               key=lambda file: file.stat().st_size)  # fmt: skip


@test
def an_unreadable_line_is_a_named_stop(place):
    place.everything(1500)
    file = longest(place, "stock")
    lines = file.read_bytes().splitlines(keepends=True)
    lines[10] = b"{broken\n"
    file.write_bytes(b"".join(lines))
    stops(place, f"stock/{file.stem}", f"byte {sum(map(len, lines[:10]))}")


@test
def an_offset_that_does_not_grow_is_a_named_stop(place):
    place.everything(1500)
    file = longest(place, "order")
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join([*lines[:20], lines[19], *lines[20:]]))
    stops(place, f"order/{file.stem}", "19")


@test
def a_file_that_shrank_is_a_named_stop_and_changes_nothing(place):
    place.everything(1500)
    place.run("run", "--until-end")
    before = place.run("dump", "review_summary").stdout
    file = longest(place, "review")
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(lines[:-5]))
    stops(place, f"review/{file.stem}", str(len(lines)))
    expect(place.run("dump", "review_summary").stdout == before)


@test
def an_emptied_file_is_a_named_stop_even_with_nothing_to_read(place):
    place.everything(1500)
    place.run("run", "--until-end")
    file = longest(place, "review")
    n = len(file.read_bytes().splitlines())
    file.write_bytes(b"")
    stops(place, f"review/{file.stem}", str(n))


def lines_of(place, topic):
    """Of each of its files, by path, those that are ended."""
    return {
        file: file.read_bytes().splitlines(keepends=True)
        for file in (place.events / topic).glob("*.ndjson")
    }


def goes_ahead(place, name):
    """Lines of each file of its topic that all, and that it has read."""
    place.generate(3000, partitions=1)
    place.append(limit=0.5)
    place.run("run", "--until-end")
    behind = {f: whole(lines) for f, lines in lines_of(place, name).items()}
    alone = place.directory / "alone.conf"
    alone.write_text('projection "%s" { }\n' % name)
    place.append(limit=0.8)
    place.run("run", "--until-end", "-c", alone)
    ahead = {f: whole(lines) for f, lines in lines_of(place, name).items()}
    place.append()
    expect(all(1 < behind[f] < ahead[f] for f in behind), behind, ahead)
    return behind, ahead


def whole(lines):
    return sum(line.endswith(b"\n") for line in lines)


def remove_before(place, topic, first):
    for file, lines in lines_of(place, topic).items():
        file.write_bytes(b"".join(lines[first[file]:]))


def stopped_by_name(text):
    return set(re.findall(r"event=projection.stopped projection=(\w+)", text))


@test
def lines_that_were_removed_stop_only_who_had_them_to_read(place):
    _, ahead = goes_ahead(place, "coupon")
    before = place.run("dump", "member_coupons").stdout
    remove_before(place, "coupon", {file: n - 1 for file, n in ahead.items()})
    done = place.run("run", "--until-end", status=65)
    expect(stopped_by_name(done.stderr) == {"member_coupons"}, done.stderr)
    expect("outside the archive" in done.stderr, done.stderr)
    expect(place.run("dump", "member_coupons").stdout == before)
    found = place.differences(["coupon", "stock"], place.staged)
    expect(not found, found)


@test
def a_last_line_that_was_removed_stops_only_who_applied_it(place):
    behind, _ = goes_ahead(place, "coupon")
    remove_before(place, "coupon", behind)
    done = place.run("run", "--until-end", status=65)
    expect(stopped_by_name(done.stderr) == {"member_coupons"}, done.stderr)
    expect("nothing behind it is missing" in done.stderr, done.stderr)
    found = place.differences(["coupon", "stock"], place.staged)
    expect(not found, found)
    done = place.run("run", "--until-end", "-s", "source.lost_anchor=accept")
    accepted = re.findall(r"event=anchor.accepted .*generation=(\w+)",
                          done.stderr)
    expect(set(accepted) == {"member_coupons"}, done.stderr)
    found = place.differences(["coupon", "member_coupons"], place.staged)
    expect(not found, found)


@test
def what_nobody_reads_any_more_is_not_read_from_its_first_record(place):
    only = place.directory / "only.conf"
    only.write_text("".join('projection "%s" { }\n' % name for name in
                            ("product", "shop_products", "stock")))
    _, ahead = goes_ahead(place, "stock")
    remove_before(place, "stock", {file: n - 1 for file, n in ahead.items()})
    done = place.run("run", "--until-end", "-c", only, status=65)
    expect(stopped_by_name(done.stderr) == {"product", "shop_products"},
           done.stderr)
    read = int(re.search(r"event=run.done .*events=(\d+)", done.stderr)[1])
    # Before they stop they may read on; behind that it is stock's alone.
    most = sum(whole(lines) for lines in lines_of(place, "stock").values())
    for topic in "product", "price":
        for lines in lines_of(place, topic).values():
            most += whole(lines) - whole(lines) // 2 + 1
    expect(read <= most, read, most, done.stderr)


@test
def a_partition_that_is_added_stops_its_readers_until_it_is_accepted(place):
    place.everything(600, partitions=2)
    place.run("run", "--until-end")
    before = place.differences()
    expect(not before, before)
    added = place.events / "coupon" / "2.ndjson"
    process = place.start("run")
    place.wait_for(lambda: "event=reading" in process.log.read_text(),
                   "it reads")  # fmt: skip
    added.touch()
    readers = {"coupon", "member_coupons"}

    def stopped():
        return {
            match[1]
            for match in re.finditer(
                r"event=projection.stopped projection=(\w+) .*"
                r"partition count changed: topic coupon has 3, it had 2",
                process.log.read_text(),
            )
        }

    place.wait_for(lambda: stopped() == readers, "its readers stop")
    expect(process.poll() is None, "the others stopped, too")
    place.stop(process)
    stops(place, "partition count changed", "coupon", "partitions = 3")
    done = place.run("check", status=65)
    expect("fault   partition count changed: topic coupon" in done.stdout,
           done.stdout)  # fmt: skip
    done = place.run("run", "--until-end", "-s", "topic.coupon.partitions=3")
    expect("event=topic.accepted topic=coupon" in done.stderr, done.stderr)
    place.run("run", "--until-end")
    place.run("check")
    place.check()


@test
def two_modules_that_claim_one_name_are_a_named_stop(place):
    place.everything(200)
    modules = place.directory / "modules"
    shutil.copytree(BUILD / "projections", modules,
                    ignore=lambda _, names: [n for n in names
                                             if not n.endswith(".so")])  # fmt: skip
    shutil.copy(modules / "stock.so", modules / "a_copy.so")
    where = ("-s", f"projector.modules={modules}")
    for verb in (["run", "--until-end"], ["rebuild", "stock"], ["check"]):
        done = place.run(*verb, *where, status=65)
        for name in ("stock.so", "a_copy.so"):
            expect(str(modules / name) in done.stderr, verb, done.stderr)
    expect(not (place.store / "data.mdb").exists(), "something was written")
    # Whoever does not run that projection is not stopped by it.
    conf = place.directory / "order.conf"
    conf.write_text('projection "order" { }\n')
    place.run("run", "--until-end", "-c", conf, *where)
    place.check(["order"])


if __name__ == "__main__":
    sys.exit(main(TESTS))
