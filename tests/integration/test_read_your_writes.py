#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Through real Kafka, projector, MongoDB and queryapi: a writer reads what it
wrote, and a stream is told of it, also over a restart of the store.

Run one test: test_read_your_writes.py NAME_PART. Logs are kept in
build/integration/writes.
"""
import http.client
import json
import shutil
import sys
import threading
import time

from harness import ROOT, Api, Program, Stack, Tests, wait_until

WORK = ROOT / "build" / "integration" / "writes"
KEY = "shop-1:p-1"
TARGET = "/v1/stock/" + KEY


class Listener(threading.Thread):
    """What a stream of the document was told, in order."""

    def __init__(self, address):
        super().__init__(daemon=True)
        self.address, self.over, self.told = address, False, []
        self.start()

    def run(self):
        while not self.over:
            conn = http.client.HTTPConnection(self.address, timeout=30)
            try:
                conn.request("GET", TARGET + "/events")
                for line in conn.getresponse():
                    if line.startswith(b"data: "):
                        document = json.loads(line[6:])
                        self.told.append(document.get("quantity"))
            except (OSError, http.client.HTTPException):
                time.sleep(0.1)
            finally:
                conn.close()


class ReadYourWrites(Tests):
    def __init__(self):
        shutil.rmtree(WORK, ignore_errors=True)
        self.stack = Stack(WORK)
        self.written = 0

    def start(self):
        self.stack.start()
        self.stack.create_topics("", partitions=1)
        self.settings = {
            "source.type": "kafka", "source.brokers": self.stack.brokers,
            "source.group": "writes", "projector.admin_listen": "",
            "store.type": "mongodb", "store.uri": self.stack.uri,
            "store.database": "writes"}
        self.projector = Program("projector", ["run"], self.settings,
                                 WORK / "projector.log").start()
        self.api = Api({k: v for k, v in self.settings.items()
                        if k.startswith("store.")},
                       WORK / "queryapi.log").start()
        wait_until("stock is served", lambda: self.api.get(
            "/v1/stock/x")[2]["type"].endswith(":not-found"))
        wait_until("its partition is taken over",
                   lambda: self.at_least(0, wait=1)[0] == 503)

    def stop(self):
        for program in (self.api, self.projector):
            if program.stop() != 0:
                raise AssertionError(f"{program} did not end well")
        self.stack.stop()

    def write(self):
        """One more event of the document; its quantity and its position."""
        offset = self.written
        self.written += 1
        archive = WORK / "event"
        (archive / "stock").mkdir(parents=True, exist_ok=True)
        (archive / "stock" / "0.ndjson").write_text(json.dumps({
            "topic": "stock", "partition": 0, "offset": 0,
            "timestamp": 1793577600000 + offset, "key": "shop-1",
            "headers": {}, "value": {
                "eventId": f"e-{offset}", "eventType": "StockChanged",
                "data": {"shopId": "shop-1", "productId": "p-1",
                         "quantity": 1000 + offset, "version": offset + 1},
                "occurrenceDateTime": "2026-11-02 09:00:00"}}) + "\n")
        self.stack.publish(archive, "")
        return 1000 + offset

    def at_least(self, offset, wait=30):
        return self.api.get(TARGET, {
            "Projection-Min-Position": f'"stock/0@{offset}"',
            "Prefer": f"wait={wait}"})

    def check_read(self, offset, quantity):
        status, headers, body = self.at_least(offset)
        if status != 200 or body["quantity"] < quantity:
            raise AssertionError((offset, quantity, status, body))
        told = headers["Projection-Position"]
        if int(told.split("@")[1].strip('"')) < offset:
            raise AssertionError(f"{told} for {offset}")

    def test_1_who_wrote_reads_it(self):
        for _ in range(20):
            quantity = self.write()
            self.check_read(self.written - 1, quantity)

    def test_2_who_waits_before_the_write_reads_it_too(self):
        for _ in range(10):
            thread = threading.Thread(target=self.write)
            offset = self.written
            thread.start()
            self.check_read(offset, 1000 + offset)
            thread.join()
        status, _, body = self.at_least(self.written + 5, wait=1)
        if status != 503 or "position-not-reached" not in body["type"]:
            raise AssertionError((status, body))

    def test_3_a_stream_is_told_of_the_last_write(self):
        listener = Listener(self.api.data)
        wait_until("the first event", lambda: listener.told)
        for _ in range(10):
            quantity = self.write()
        wait_until("the last write", lambda: listener.told[-1] == quantity, 30)
        if listener.told != sorted(set(listener.told)):
            raise AssertionError(f"not in order: {listener.told}")
        listener.over = True

    def test_4_all_of_it_goes_on_when_the_store_is_back(self):
        listener = Listener(self.api.data)
        wait_until("the first event", lambda: listener.told)
        self.stack.mongo("stop")
        quantity = self.write()
        status, _, body = self.at_least(self.written - 1, wait=1)
        if status != 503:
            raise AssertionError((status, body))
        self.stack.mongo("start")
        wait_until("the write of the outage",
                   lambda: listener.told[-1] == quantity, 90)
        self.check_read(self.written - 1, quantity)
        if listener.told != sorted(set(listener.told)):
            raise AssertionError(f"not in order: {listener.told}")
        listener.over = True


def main():
    tests = ReadYourWrites()
    tests.start()
    try:
        return tests.run()
    finally:
        tests.stop()


if __name__ == "__main__":
    sys.exit(main())
