# SPDX-License-Identifier: Apache-2.0
"""What is measured, one function per scenario; docs/benchmarks.md says why.

`cost` is an estimate in seconds from options, for the bound that is printed.
"""
import json
import os
import re
import resource
import socket
import statistics
import subprocess
import time

import data
import machine
import servers
from paths import BUILD, SUPPORT
from benchrun import (LOADGEN, Updates, get, on_cores, on_other_core,
                      same_bytes, write_files)
from table import (Candidate, faults, measure, others, print_table, report,
                   spread)

HOT = 1000
SIZE = 2048
FRESH_WARMUP_S, BARE_WARMUP_S = 45, 10  # Kafka's compiler is slow


def main_set(run):
    return run.data_set("bench", run.options.documents, SIZE)


def api(run, dataset, **settings):
    return run.started(servers.Queryapi(run, dataset.name, **settings))


def api_with_all(run, dataset):
    """One whose cache holds the whole set, and has been asked for it."""
    ours = api(run, dataset, **{"queryapi.cache_bytes": "1g"})
    machine.wait_until("the view is there", lambda: get(
        ours.address, "/v1/shop/nobody")[0] == 404)
    run.load(ours, dataset.keys, 60, choice="sequence", batch=100,
             target="/v1/shop?ids={}", requests=dataset.count // 100,
             connections=8)
    return ours


def control(run, dataset, source, open_files=False):
    """nginx with the files of the hot keys, as `source` answers them."""
    hot = dataset.ranked[:HOT]
    root = write_files(source.address, hot, run.dir / dataset.name / "files")
    return run.started(servers.Nginx(run, root, open_files))


def peers(run, dataset, *wanted):
    """Those that can be built here and were not left out."""
    makers = {"go": lambda: servers.Go(run, dataset.name, dataset.collection,
                                       False),
              "lru": lambda: servers.Go(run, dataset.name, dataset.collection,
                                        True),
              "spring": lambda: servers.Spring(run, dataset.name,
                                               dataset.collection)}
    got = []
    for name in wanted:
        if name not in run.options.peers:
            continue
        try:
            got.append(run.started(makers[name]()))
        except servers.Skipped as why:
            print(f"  without {name}: {why}", flush=True)
    return got


def all_stopped(run):
    for server in list(run.servers):
        run.stopped(server)


# ---- At saturation -----------------------------------------------------------

def hits(run):
    dataset = main_set(run)
    ours = api(run, dataset)
    nginx = control(run, dataset, ours)
    everybody = [ours, nginx, control(run, dataset, ours, True),
                 *peers(run, dataset, "lru", "go", "spring")]
    same_bytes(everybody, dataset.ranked[:20])
    hot = {"choice": "uniform", "first": HOT}
    cs = measure(run, [Candidate(s, dataset.keys, **hot) for s in everybody])
    report(run, "hits", f"{HOT} hot keys, {SIZE} bytes, at saturation", cs,
           cs[1])


def browser(run):
    dataset = main_set(run)
    ours = api(run, dataset)
    both = [ours, control(run, dataset, ours)]
    cs = measure(run, [Candidate(s, dataset.keys, choice="uniform", first=HOT,
                                 browser=1) for s in both])
    report(run, "browser", "the same with a browser's header lines", cs, cs[1])


def zipf(run):
    dataset = main_set(run)
    ours = api(run, dataset)
    nginx = control(run, dataset, ours)
    others = peers(run, dataset, "lru", "go", "spring")
    same_bytes([ours, *others], dataset.ranked[-20:])
    cs = [Candidate(s, dataset.keys, choice="zipf") for s in [ours, *others]]
    cs.insert(1, Candidate(nginx, dataset.keys, f"nginx, {HOT} of them",
                           choice="zipf", first=HOT))
    measure(run, cs)
    report(run, "zipf", f"zipf 0.99 over {dataset.count} keys, at saturation",
           cs, cs[1])


def conditional(run):
    dataset = main_set(run)
    ours = api(run, dataset)
    nginx = control(run, dataset, ours)
    hot = {"choice": "uniform", "first": HOT}
    cs = [Candidate(s, dataset.keys, f"{s.name}, {share} %",
                    conditional=share, **hot)
          for share in (0, 60, 100) for s in (ours, nginx)]
    measure(run, cs)
    report(run, "conditional", "a share of requests with If-None-Match, "
           f"{HOT} hot keys", cs, cs[1], (
               ("304 share", lambda g: g["status"].get("304", 0) /
                max(1, g["answered"]), "{:.2f}"),))


def large(run):
    for kilobytes in (16, 64):
        dataset = run.data_set(f"large{kilobytes}", 200, kilobytes * 1024)
        ours = api(run, dataset)
        # Few connections: a wait of 40 ms would be a server's own.
        cs = [Candidate(s, dataset.keys, choice="uniform", connections=4)
              for s in (ours, control(run, dataset, ours))]
        measure(run, cs)
        report(run, f"large{kilobytes}", f"bodies of {kilobytes} KB", cs,
               cs[1], (("in 35–50 ms", lambda g: g["share_35_50_ms"],
                        "{:.4%}"),))
        all_stopped(run)


def bare(run, dataset, batch):
    """What the store gives to who does nothing with it: the ceiling."""
    before = machine.cpu_s(run.mongod)
    got = subprocess.run(
        [BUILD / "tests" / "bench" / "baredriver", run.uri, dataset.name,
         dataset.collection, dataset.keys, str(batch)],
        preexec_fn=machine.pinned(machine.SERVER_CORE), timeout=120,
        check=True, stdout=subprocess.PIPE, text=True).stdout
    got = json.loads(got)
    n = got["documents"]
    return {"documents_per_s": n / got["seconds"],
            "server_us": got["cpu_s"] / n * 1e6,
            "mongod_us": (machine.cpu_s(run.mongod) - before) / n * 1e6}


def cold(run):
    """Every key once, on a server that has just been started."""
    dataset = main_set(run)
    n = dataset.count
    labels = {
        "batches of 100": {"target": "/v1/shop?ids={}", "batch": 100,
                           "requests": n // 100, "connections": 8},
        "single gets": {"requests": n // 4, "connections": 64}}
    found = {label: [] for label in labels}
    ceiling = []
    for _ in range(run.options.rounds):
        ceiling.append(bare(run, dataset, 100))
        for label, options in labels.items():
            ours = api(run, dataset)
            # A view is known once it has been asked for.
            machine.wait_until("the view is there", lambda: get(
                ours.address, "/v1/shop/nobody")[0] == 404)
            got = run.load(ours, dataset.keys, 60, choice="sequence",
                           **options)
            documents = got["status"].get("200", 0) * options.get("batch", 1)
            got["documents_per_s"] = documents / got["seconds"]
            # All were found: nothing else is as large.
            if got["body_bytes"] < documents * SIZE:
                raise RuntimeError(f"documents are missing: {got}")
            found[label].append(got)
            run.stopped(ours)
    rows = [[label, spread([g["documents_per_s"] for g in got], "{:.0f}"),
             *(spread([g[who] / labels[label].get("batch", 1) for g in got],
                      "{:.2f}") for who in ("server_us", "mongod_us")),
             str(sum(map(others, got))), str(sum(map(faults, got)))]
            for label, got in found.items()]
    rows.append(["bare driver, batches of 100", *(
        spread([g[what] for g in ceiling], form) for what, form in (
            ("documents_per_s", "{:.0f}"), ("server_us", "{:.2f}"),
            ("mongod_us", "{:.2f}"))), "0", "0"])
    print_table("Cold cache, each key once", [
        "", "documents/s", "server µs/document", "mongod µs/document",
        "not 200", "faults"], rows)
    run.raw.append({"scenario": "cold", "rounds": found,
                    "bare driver": ceiling})


def overload(run):
    """Three times what the store gives, with and without a bound in time.

    Keys that nobody has asked for yet, on a server that has just been started;
    lists, which are never kept. Each of the two in the same round."""
    dataset = main_set(run)
    kinds = {"cold keys": {"choice": "sequence"},
             "lists": {"target": "/v1/shop?limit=5", "choice": "sequence"}}
    waits = {"queue_wait_ms 100": "100ms", "none": "0"}
    rows, raw = [], []
    for kind, options in kinds.items():
        found = {label: [] for label in waits}
        for number in range(run.options.rounds):
            most = fresh_load(run, dataset, "0", 2, connections=256,
                              **options)["per_second"]
            order = list(waits.items())
            for label, wait in order if number % 2 else order[::-1]:
                got = fresh_load(run, dataset, wait, run.options.seconds,
                                 connections=12000, rate=int(3 * most),
                                 **options)
                got["saturation"] = most
                found[label].append(got)
        for label, rounds in found.items():
            rows.append([f"{kind}, {label}", *(spread(
                [f(g) for g in rounds], form) for f, form in (
                    (lambda g: g["saturation"], "{:.0f}"),
                    (lambda g: g["status"].get("200", 0) / g["seconds"],
                     "{:.0f}"),
                    (lambda g: g["status"].get("503", 0) / g["seconds"],
                     "{:.0f}"),
                    (lambda g: g["given_us"]["p50"] / 1000, "{:.0f}"),
                    (lambda g: g["given_us"]["p99"] / 1000, "{:.0f}"),
                    (lambda g: g["disturbed"], "{:.0%}"))),
                str(sum(map(faults, rounds)))])
        raw.append({"kind": kind, "rounds": found})
    print_table("At three times saturation, open loop", [
        "", "saturation/s", "given/s", "503/s", "p50 of given, ms",
        "p99 of given, ms", "disturbed", "faults"], rows)
    run.raw.append({"scenario": "overload", "kinds": raw})


def fresh_load(run, dataset, wait, seconds, **options):
    ours = api(run, dataset, **{"queryapi.queue_wait_ms": wait})
    machine.wait_until("the view is there", lambda: get(
        ours.address, "/v1/shop/nobody")[0] == 404)
    got = run.load(ours, dataset.keys, seconds, **options)
    run.stopped(ours)
    return got


# ---- By the clock ------------------------------------------------------------

def half_of_saturation(run, cs):
    """Gives each candidate half of what it can do, found by a short run."""
    for c in cs:
        run.warm(c.server, c.keys, **c.options)
        most = statistics.median(
            run.load(c.server, c.keys, 2, **c.options)["per_second"]
            for _ in range(3))
        c.options["rate"] = int(most / 2)
        c.label += f" at {c.options['rate']}/s"


def latency(run):
    dataset = main_set(run)
    ours = api_with_all(run, dataset)
    nginx = control(run, dataset, ours)
    lru = peers(run, dataset, "lru")
    cs = [Candidate(ours, dataset.keys, "queryapi, all kept", choice="zipf"),
          Candidate(nginx, dataset.keys, f"nginx, {HOT} of them",
                    choice="zipf", first=HOT),
          Candidate(api(run, dataset), dataset.keys, "queryapi, 256 MB kept",
                    choice="zipf"),
          *(Candidate(s, dataset.keys, choice="zipf") for s in lru)]
    half_of_saturation(run, cs)
    measure(run, cs, warm=False)
    report(run, "latency", "at half of saturation, open loop", cs, cs[1])


def updates(run):
    """The same, while what is read changes; and it is seen to change."""
    dataset = main_set(run)
    ours = api_with_all(run, dataset)
    nginx = control(run, dataset, ours)
    cs = [Candidate(ours, dataset.keys, "queryapi, all kept", choice="zipf"),
          Candidate(nginx, dataset.keys, f"nginx, {HOT} of them",
                    choice="zipf", first=HOT),
          Candidate(api(run, dataset), dataset.keys, "queryapi, 256 MB kept",
                    choice="zipf")]
    with Updates(dataset, run.options.updates) as flow:
        half_of_saturation(run, cs)
        measure(run, cs, warm=False)
        flow.stop_sending()
        rate = flow.sent / flow.took
        # The hottest of what was changed: all cached, all new.
        keys = [k for k in dataset.ranked if k in flow.latest][:200]
        begun = time.monotonic()
        for key in keys:
            want = b'"deliveryTip":%d,' % flow.latest[key]
            machine.wait_until(f"{key} is fresh", lambda k=key, w=want: w in
                               get(ours.address, f"/v1/shop/{k}")[1], 20)
        settled = time.monotonic() - begun
    report(run, "updates", f"the same with {rate:.0f} updates/s", cs, cs[1])
    print(f"{len(keys)} changed hot documents answered as last written, "
          f"{settled:.1f} s after the last event")


def fresh(run):
    """From an event in Kafka to an answer that contains it.

    It is five processes' time: so, each runs where there is room."""
    opt = run.options
    place = run.dir / "fresh"
    archive = data.Archive(place / "events")
    data.register_all(archive, opt.fresh_documents, SIZE)
    archive.close()
    keys = place / "keys"
    keys.write_text("".join(data.key_of(n) + "\n"
                            for n in range(opt.fresh_documents)))
    tools = BUILD / "tests" / "support"
    kafka = SUPPORT / "kafka.sh"
    # Its second compiler would take half a core for minutes.
    env = dict(os.environ, KAFKA_JVM="-XX:TieredStopAtLevel=1")
    broker = subprocess.run([kafka, "start", place / "kafka"], check=True,
                            env=env, stdout=subprocess.PIPE, text=True,
                            timeout=300).stdout.split()[-1]
    try:
        for pid in run.mongod, int((place / "kafka" / "pid").read_text()):
            machine.pin(pid, *machine.ANY_CORE)
        for argv in ([tools / "kafka_admin", broker, "create-topic", "shop",
                      1], [tools / "publish", broker, place / "events"]):
            subprocess.run([str(a) for a in argv], check=True,
                           stdout=subprocess.DEVNULL, timeout=300)
        fresh_measured(run, place, broker, keys)
    finally:
        machine.pin(run.mongod, machine.OTHER_CORE)
        subprocess.run([kafka, "stop", place / "kafka"], check=False,
                       timeout=60)


def fresh_rounds(run, broker, address, keys, warmup_s):
    """By rate: what each round has measured."""
    def measured(rate, seconds):
        done = on_cores(machine.ANY_CORE,
                        [BUILD / "tests" / "bench" / "freshness", broker,
                         "shop", address, keys, rate, 100, seconds],
                        stdout=subprocess.PIPE)
        text, _ = done.communicate(timeout=seconds + 90)
        return json.loads(text)

    full = run.options.updates
    measured(full // 4, warmup_s)
    return {rate: [measured(rate, max(5, run.options.seconds))
                   for _ in range(run.options.rounds)]
            for rate in (full // 8, full // 4, full // 2, full)}


def fresh_measured(run, place, broker, keys):
    conf = place / "bench.conf"
    conf.write_text('projection "shop" { }\n')
    settings = {"source.type": "kafka", "source.brokers": broker,
                "source.group": "bench", "store.type": "mongodb",
                "store.uri": run.uri, "store.database": "fresh",
                "projector.state_dir": place / "state",
                "projector.admin_listen": ""}
    argv = [BUILD / "projector" / "projector", "run", "-c", conf]
    for name, value in settings.items():
        argv += ["-s", f"{name}={value}"]
    ours = run.started(servers.Queryapi(run, "fresh"))
    machine.pin(ours.pid, *machine.ANY_CORE)
    with open(place / "projector.log", "wb") as log:
        projector = on_cores(machine.ANY_CORE, argv, stdout=log, stderr=log)
    try:
        for n in range(0, run.options.fresh_documents, 100):
            ids = ",".join(map(data.key_of, range(n, n + 100)))
            machine.wait_until("the documents are there", lambda i=ids: get(
                ours.address, f"/v1/shop?ids={i}")[1].count(
                    b'"found":true') == 100, 120)
        rounds = fresh_rounds(run, broker, ours.address, keys,
                              FRESH_WARMUP_S)
    finally:
        projector.terminate()
        projector.wait(30)
    fresh_report(run, "fresh", "Event to answer, in ms", rounds)
    run.stopped(ours)
    bare = on_cores(machine.ANY_CORE,
                    [BUILD / "tests" / "bench" / "barepath", broker, "shop",
                     run.uri, "fresh", "shop.1"], stdout=subprocess.PIPE)
    try:
        port = int(bare.stdout.readline())
        rounds = fresh_rounds(run, broker, f"127.0.0.1:{port}", keys,
                              BARE_WARMUP_S)
    finally:
        bare.terminate()
        bare.wait(30)
    fresh_report(run, "fresh, bare", "The same by a bare client, in ms",
                 rounds)


def fresh_report(run, name, title, rounds):
    rows = [[f"{rate}/s",
             *(spread([g["fresh_us"][p] / 1000 for g in got], "{:.1f}")
               for p in ("p50", "p90", "p99", "p999", "max")),
             str(sum(g["lost"] for g in got))]
            for rate, got in rounds.items()]
    print_table(title, ["events", "p50", "p90", "p99", "p99.9", "max",
                        "lost"], rows)
    run.raw.append({"scenario": name, "rounds": rounds[run.options.updates],
                    "by rate": rounds})


# ---- Other -------------------------------------------------------------------

def idle_connections(address, count, events=False):
    """Open, each with one answer behind it, or with a stream of events that
    has begun: of as many documents as are hot."""
    host, port = address.rsplit(":", 1)
    conns = []
    for i in range(count):
        target = "/v1/shop/" + data.key_of(i % HOT if events else 0) + \
            ("/events" if events else "")
        conn = socket.create_connection((host, int(port)), 10)
        conn.sendall(f"GET {target} HTTP/1.1\r\nHost: bench\r\n\r\n"
                     .encode())
        if not conn.recv(65536).startswith(b"HTTP/1.1 200 "):
            raise RuntimeError("an idle connection was not answered 200")
        conns.append(conn)
    return conns


def idle(run):
    dataset = main_set(run)
    ours = api(run, dataset, **{"queryapi.idle_timeout_ms": "10m"})
    nginx = control(run, dataset, ours)
    (run.dir / dataset.name / "files/v1/shop" / data.key_of(0)).write_bytes(
        get(ours.address, "/v1/shop/" + data.key_of(0))[1])
    count = run.options.idle
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if count + 100 > limit:
        raise RuntimeError(f"{count} connections, but only {limit} files")
    rows, raw = [], []
    # A server of its own: what another's connections have left is used again.
    told = api(run, dataset)
    for server, events in ((ours, False), (told, True), (nginx, False)):
        name = server.name + (", listeners" if events else "")
        # What is hot is in the cache before.
        for conn in idle_connections(server.address, HOT if events else 10,
                                     events):
            conn.close()
        before = machine.rss_bytes(server.pid)
        conns = idle_connections(server.address, count, events)
        grown = machine.rss_bytes(server.pid) - before
        got = run.load(server, dataset.keys, run.options.seconds,
                       choice="uniform", first=HOT)
        for conn in conns:
            conn.close()
        rows.append([name, f"{before / 1e6:.1f}",
                     f"{grown / 1e6:.1f}", f"{grown / count:.0f}",
                     f"{got['server_us']:.2f}"])
        raw.append({"server": name, "rss_before": before,
                    "rss_grown": grown, "load": got})
    print_table(f"{count} idle connections", [
        "", "RSS before, MB", "grown, MB", "bytes per connection",
        "server µs per answer beside them"], rows)
    run.raw.append({"scenario": "idle", "connections": count, "rows": raw})


def generator(run):
    """wrk on the same server in the same rounds: do both see the same?"""
    dataset = main_set(run)
    ours = api(run, dataset)
    nginx = control(run, dataset, ours)
    root = servers.unpacked("libluajit-5.1-2", "wrk")
    lib = next(root.glob("usr/lib/*/libluajit-5.1.so.2")).parent
    key = dataset.ranked[0]
    one = run.dir / "one-key"
    one.write_text(key + "\n")
    seconds = max(1, int(run.options.seconds))
    mine, theirs = [], []
    for _ in range(run.options.rounds):
        mine.append(run.load(nginx, one, seconds)["per_second"])
        done = on_other_core(
            [root / "usr" / "bin" / "wrk", "-t1", "-c64", f"-d{seconds}",
             f"http://{nginx.address}/v1/shop/{key}"],
            env={"LD_LIBRARY_PATH": str(lib)}, stdout=subprocess.PIPE,
            text=True)
        text, _ = done.communicate(timeout=seconds + 30)
        theirs.append(float(re.search(r"Requests/sec:\s+(\S+)",
                                      text).group(1)))
    print_table("The generator against wrk, nginx at saturation", [
        "", "answers/s"], [[LOADGEN.name, spread(mine, "{:.0f}")],
                           ["wrk", spread(theirs, "{:.0f}")],
                           ["ratio", spread([a / b for a, b in
                                             zip(mine, theirs)], "{:.2f}")]])
    run.raw.append({"scenario": "generator", "loadgen": mine, "wrk": theirs})


# name: (function, candidates per round, seconds beside the rounds)
SCENARIOS = {
    "generator": (generator, 2, 5),
    "hits": (hits, 6, 90), "browser": (browser, 2, 10),
    "zipf": (zipf, 5, 30), "conditional": (conditional, 6, 10),
    "large": (large, 4, 20), "cold": (cold, 2, 20),
    "overload": (overload, 6, 20), "latency": (latency, 4, 60), "updates": (updates, 2, 50),
    "fresh": (fresh, 8, 170), "idle": (idle, 3, 60),
}
