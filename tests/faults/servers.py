# SPDX-License-Identifier: Apache-2.0
"""Real Kafka and MongoDB nodes that a drill can stop, kill, pause and cut off.

Each node has a link (links.py) in front of it. Kafka has two listeners: what the
test itself uses goes straight to the node, what the programs use is advertised
at the link. MongoDB's members know each other by their links, so that the
members can be cut off from each other and from clients.
"""
import os
import pathlib
import shutil
import signal
import subprocess
import sys

from frame import BUILD, HERE, SUPPORT, sh, wait_until
from links import Carrier, Link, answers, free_ports
from loopback import Disk

CACHE = pathlib.Path(os.environ.get("SHOPVIEW_CACHE") or
                     pathlib.Path.home() / ".cache/shopview")
START_S = 120


def tool(name):
    return sh(HERE / "tools.sh", name, timeout=400).strip().splitlines()[-1]


def import_pymongo():
    folder = tool("pymongo")
    if folder not in sys.path:
        sys.path.insert(0, folder)
    import pymongo  # its place is known only now
    return pymongo


class Node:
    """A server process that comes back with its data."""

    def __init__(self, name, folder, link):
        self.name, self.dir, self.link = name, pathlib.Path(folder), link
        self.process = None
        self.env = None

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def launch(self):
        with open(self.dir / "log", "ab") as out:
            self.process = subprocess.Popen(
                [str(a) for a in self.argv()], stdout=out,
                stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                env=self.env, start_new_session=True)

    def signal(self, number):
        if self.alive():
            self.process.send_signal(number)

    def kill(self):
        self.signal(signal.SIGKILL)
        self.process.wait()

    def pause(self):
        self.signal(signal.SIGSTOP)

    def resume(self):
        self.signal(signal.SIGCONT)

    def stop(self):
        if not self.alive():
            return
        self.resume()
        self.signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.kill()

    def tail(self):
        text = (self.dir / "log").read_text(errors="replace")
        return text[-1500:]


# ---- Kafka ----------------------------------------------------------------

KAFKA_PROPERTIES = """
process.roles=broker,controller
node.id={id}
controller.quorum.voters={voters}
listeners=PLAINTEXT://127.0.0.1:{port},LINK://127.0.0.1:{behind},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port},LINK://127.0.0.1:{link}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,LINK:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs={dir}/data
auto.create.topics.enable=false
default.replication.factor={replicas}
min.insync.replicas={in_sync}
offsets.topic.replication.factor={replicas}
offsets.topic.num.partitions=4
transaction.state.log.replication.factor={replicas}
transaction.state.log.min.isr={in_sync}
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor={replicas}
share.coordinator.state.topic.min.isr={in_sync}
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
log.retention.ms=-1
num.network.threads=2
num.io.threads=4
replica.lag.time.max.ms=5000
broker.session.timeout.ms=6000
transaction.abort.timed.out.transaction.cleanup.interval.ms=1000
log.cleaner.dedupe.buffer.size=8388608
{more}
"""


class KafkaNode(Node):
    def __init__(self, number, folder, carrier, ports, voters, replicas, more):
        self.number = number
        self.port, self.behind, self.controller, link = ports
        super().__init__(f"kafka{number}", folder,
                         Link(carrier, link, self.behind))
        self.dir.mkdir(parents=True)
        self.conf = self.dir / "kraft.properties"
        self.conf.write_text(KAFKA_PROPERTIES.format(
            id=number, voters=voters, port=self.port, behind=self.behind,
            controller=self.controller, link=link, dir=self.dir,
            replicas=replicas, in_sync=min(2, replicas), more=more))

    def java(self, *args, heap="384m"):
        return ["java", f"-Xmx{heap}", f"-Xms{heap}", "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp",
                f"{CACHE}/kafka-4.1.1/libs/*", *args]

    def argv(self):
        return self.java("kafka.Kafka", str(self.conf))

    def format(self):
        sh(*self.java("kafka.tools.StorageTool", "format", "-t",
                      "MkU3OEVBNTcwNTJENDM2Qg", "-c", self.conf, heap="128m"))

    def start(self):
        self.launch()
        wait_until(f"{self.name} answers", lambda: answers(self.port) or
                   not self.alive(), START_S)
        if not self.alive():
            raise AssertionError(f"{self.name} ended:\n{self.tail()}")
        return self


class Kafka:
    """A cluster of one or three."""

    def __init__(self, folder, carrier, nodes=1, more=""):
        sh(SUPPORT / "kafka.sh", "fetch", timeout=400)
        ports = free_ports(4 * nodes)
        each = [ports[4 * n:4 * n + 4] for n in range(nodes)]
        voters = ",".join(f"{n + 1}@127.0.0.1:{each[n][2]}"
                          for n in range(nodes))
        self.nodes = [KafkaNode(n + 1, pathlib.Path(folder) / f"kafka{n + 1}",
                                carrier, each[n], voters, min(3, nodes), more)
                      for n in range(nodes)]

    def start(self):
        for node in self.nodes:
            node.link.start()
            node.format()
        for node in self.nodes:
            node.launch()
        for node in self.nodes:
            wait_until(f"{node.name} answers",
                       lambda n=node: answers(n.port), START_S)
        self.admin("list")
        return self

    @property
    def brokers(self):
        """Past the links: for the test itself."""
        return ",".join(f"127.0.0.1:{n.port}" for n in self.nodes)

    @property
    def linked(self):
        return ",".join(f"127.0.0.1:{n.link.port}" for n in self.nodes)

    def admin(self, *args):
        return sh(BUILD / "tests/support/kafka_admin", self.brokers, *args)

    def heal(self):
        for node in self.nodes:
            node.link.heal()
            node.resume()
            if not node.alive():
                node.start()

    def stop(self):
        for node in self.nodes:
            node.stop()


# ---- MongoDB --------------------------------------------------------------

class MongoNode(Node):
    def __init__(self, number, folder, carrier, ports, names, disk_mib):
        self.port, link = ports
        super().__init__(f"mongo{number}", folder,
                         Link(carrier, link, self.port, names))
        self.number, self.direct = number, None
        self.db = self.dir / "db"
        self.db.mkdir(parents=True)
        # One of its own, or none.
        self.disk = Disk(self.dir / "disk.img", self.db, disk_mib) \
            if disk_mib else None

    def argv(self):
        return [CACHE / "mongodb-6.0.5/mongod", "--replSet", "rs0", "--bind_ip",
                "127.0.0.1", "--port", self.port, "--nounixsocket", "--dbpath",
                self.db, "--wiredTigerCacheSizeGB", "0.25", "--setParameter",
                "enableTestCommands=1"]

    def start(self):
        self.launch()
        wait_until(f"{self.name} answers", lambda: answers(self.port) or
                   not self.alive(), START_S)
        if not self.alive():
            raise AssertionError(f"{self.name} ended:\n{self.tail()}")
        return self

    def client(self):
        """Straight to this member, one for good."""
        if self.direct is None:
            self.direct = import_pymongo().MongoClient(
                f"mongodb://127.0.0.1:{self.port}/?directConnection=true",
                serverSelectionTimeoutMS=3000, socketTimeoutMS=20000,
                appname="drill")
        return self.direct

    def command(self, command):
        return self.client().admin.command(command)

    def fail(self, point, mode, **data):
        """How often it was met before."""
        return self.command({"configureFailPoint": point, "mode": mode,
                             **({"data": data} if data else {})})["count"]

    def is_primary(self):
        try:
            return self.command("hello")["isWritablePrimary"]
        except import_pymongo().errors.PyMongoError:
            return False

    def rollbacks(self):
        """A number that every rollback counts up."""
        try:
            return self.command("replSetGetRBID")["rbid"]
        except import_pymongo().errors.PyMongoError:
            return -1  # it closes connections while it rolls back


class Mongo:
    """A replica set of one or three, and who may be told apart at its links."""

    def __init__(self, folder, carrier, nodes=1, disk_mib=0):
        sh(SUPPORT / "mongo.sh", "fetch", timeout=400)
        self.clients = {}  # name → program
        self.through = None
        ports = free_ports(2 * nodes)
        self.nodes = [MongoNode(n, pathlib.Path(folder) / f"mongo{n}", carrier,
                                ports[2 * n:2 * n + 2], self.names,
                                disk_mib)
                      for n in range(nodes)]

    def names(self):
        return {name: one.process.pid for name, one in
                [*((n.name, n) for n in self.nodes), *self.clients.items()]
                if one.alive()}

    @property
    def uri(self):
        hosts = ",".join(f"127.0.0.1:{n.link.port}" for n in self.nodes)
        return f"mongodb://{hosts}/?replicaSet=rs0"

    def start(self):
        for node in self.nodes:
            node.link.start()
            node.start()
        members = [{"_id": n.number, "host": f"127.0.0.1:{n.link.port}",
                    "priority": 1} for n in self.nodes]
        self.nodes[0].command({"replSetInitiate": {
            "_id": "rs0", "members": members, "settings": {
                "electionTimeoutMillis": 4000,
                # An heir does not wait for what the old one may still have.
                "catchUpTimeoutMillis": 0,
                "heartbeatIntervalMillis": 500}}})
        self.primary(START_S)
        return self

    def primary(self, seconds=60):
        def find():
            found = [n for n in self.nodes if n.alive() and n.is_primary()]
            return found[-1] if found else None
        return wait_until("a primary", find, seconds)

    def others(self, node):
        return [n for n in self.nodes if n is not node]

    def client(self):
        """For the test: through the links, by the set's own rules."""
        if self.through is None:
            self.through = import_pymongo().MongoClient(
                self.uri, readConcernLevel="majority", w="majority",
                journal=True, serverSelectionTimeoutMS=20000,
                socketTimeoutMS=20000, appname="drill")
        return self.through

    def heal(self):
        for node in self.nodes:
            node.link.heal()
            node.resume()
            if node.disk:
                node.disk.thaw()
                node.disk.empty()
            if not node.alive():
                node.start()
        for node in self.nodes:
            for point in ("failCommand", "onPrimaryTransactionalWrite",
                          "stopReplProducer", "rsSyncApplyStop"):
                node.fail(point, "off")
        self.primary()

    def stop(self):
        for node in self.nodes:
            if node.disk:
                node.disk.thaw()
            node.stop()
            if node.disk:
                node.disk.unmount()


class World:
    """The servers of one family of drills, and what reads Kafka's log."""

    def __init__(self, folder, kafka_nodes=1, mongo_nodes=1, more="",
                 disk_mib=0):
        self.dir = pathlib.Path(folder)
        for left in self.dir.glob("mongo*/db"):
            if left.is_mount():
                sh("umount", left)
        shutil.rmtree(self.dir, ignore_errors=True)
        self.dir.mkdir(parents=True)
        self.carrier = Carrier()
        self.kafka = Kafka(self.dir, self.carrier, kafka_nodes, more)
        self.mongo = Mongo(self.dir, self.carrier, mongo_nodes, disk_mib)
        self.reader = None

    def start(self):
        self.kafka.start()
        self.mongo.start()
        return self

    def dump(self, prefix, path):
        """Kafka's Java client writes the topics of a prefix to a file."""
        if self.reader is None:
            with open(self.dir / "dump.log", "ab") as errors:
                self.reader = subprocess.Popen(
                    ["java", "-Xmx256m", "-XX:+UseSerialGC",
                     "-XX:TieredStopAtLevel=1", "-cp", tool("dump"),
                     "KafkaDump", self.kafka.brokers],
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                    stderr=errors, text=True, start_new_session=True)
        self.reader.stdin.write(f"{prefix} {path}\n")
        self.reader.stdin.flush()
        said = self.reader.stdout.readline().strip()
        if not said.startswith("done "):
            raise AssertionError(f"the log could not be dumped: {said}")
        return int(said.split()[1])

    def heal(self):
        self.kafka.heal()
        self.mongo.heal()

    def stop(self):
        if self.reader:
            self.reader.stdin.close()
            self.reader.kill()
            self.reader.wait()
        self.mongo.stop()
        self.kafka.stop()
