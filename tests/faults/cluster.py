# SPDX-License-Identifier: Apache-2.0
"""Faults of a Kafka cluster of three (F6)."""
from drill import Drill
from frame import wait_until


class Leaders(Drill):
    faults = "F6"
    says = "leaders and the group's coordinator move: brokers stop or die"
    seconds = 30
    at_least = 2
    short = True

    def inject(self):
        kafka = self.world.kafka
        while self.flowing():
            self.pause(1.0, 2.5)
            # Never two at once: two of three have to be in sync.
            node = self.random.choice(kafka.nodes)
            self.random.choice((node.kill, node.kill, node.stop))()
            self.tried += 1
            self.pause(1.0, 5.0)
            node.start()
            wait_until("all are in sync", lambda: self.in_sync(kafka), 60, 1)

    def in_sync(self, kafka):
        """A topic that only a whole cluster can make."""
        try:
            kafka.admin("create-topic", f"whole-{self.id}-{self.tried}", 3)
            return True
        except AssertionError:
            return False


class Partitioned(Drill):
    faults = "F6,F7"
    says = "one broker pauses: others lead and coordinate, then it is back"
    seconds = 30
    at_least = 2

    def inject(self):
        kafka = self.world.kafka
        while self.flowing():
            self.pause(1.0, 2.5)
            node = self.random.choice(kafka.nodes)
            node.pause()
            self.pause(2.0, 9.0)
            node.resume()
            self.tried += 1
            wait_until("all are in sync", lambda: Leaders.in_sync(self, kafka),
                       60, 1)


DRILLS = (Leaders, Partitioned)
WORLD = {"kafka_nodes": 3}
