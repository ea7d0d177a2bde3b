#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# A real one-node Kafka (KRaft) on loopback, for tests and benchmarks.
#
#	kafka.sh start [DIR]    format DIR when it is new, start, print the address
#	kafka.sh stop [DIR]     end it politely (kill -9 after 20 s)
#	kafka.sh kill [DIR]     kill -9; a later start keeps the data
#	kafka.sh address [DIR]  the address of the one that runs, else exit 1
#	kafka.sh fetch          only get the jars
#
# DIR holds the data, pid, log and port; a start on an old DIR keeps data and
# port. The jars come once through Maven and stay in the cache. KAFKA_JVM has
# more options of its JVM.
# Needs: bash, maven, a JRE 17.

set -eu

VERSION=${KAFKA_VERSION:-4.1.1}
# Not every service and container has a HOME.
: "${HOME:=$(getent passwd "$(id -u)" | cut -d: -f6)}"
CACHE=${SHOPVIEW_CACHE:-$HOME/.cache/shopview}
HEAP=${KAFKA_HEAP:-512m}
HOME_DIR=$CACHE/kafka-$VERSION
LIBS=$HOME_DIR/libs

die() {
	echo "kafka.sh: $*" >&2
	exit 1
}

# Two at once must not write the same folder: the first one does, others wait.
fetch() {
	mkdir -p "$HOME_DIR"
	(
		flock 9
		[ -e "$HOME_DIR/complete" ] && exit 0
		command -v mvn >/dev/null || die "mvn is missing (Debian: maven)"
		cat >"$HOME_DIR/pom.xml" <<-POM
			<project xmlns="http://maven.apache.org/POM/4.0.0">
			<modelVersion>4.0.0</modelVersion>
			<groupId>shopview</groupId><artifactId>kafka-server</artifactId>
			<version>1</version><packaging>pom</packaging>
			<dependencies>
			<dependency><groupId>org.apache.kafka</groupId>
			<artifactId>kafka_2.13</artifactId>
			<version>$VERSION</version></dependency>
			<dependency><groupId>org.apache.kafka</groupId>
			<artifactId>kafka-tools</artifactId>
			<version>$VERSION</version></dependency>
			<dependency><groupId>org.slf4j</groupId>
			<artifactId>slf4j-simple</artifactId>
			<version>1.7.36</version></dependency>
			</dependencies>
			</project>
		POM
		mvn -B -q -f "$HOME_DIR/pom.xml" dependency:copy-dependencies \
			-DincludeScope=runtime -DoutputDirectory="$LIBS" \
			>"$HOME_DIR/maven.log" 2>&1 ||
			die "maven failed, see $HOME_DIR/maven.log"
		touch "$HOME_DIR/complete"
	) 9>"$HOME_DIR/lock"
}

running() {
	[ -s "$DIR/pid" ] && kill -0 "$(cat "$DIR/pid")" 2>/dev/null
}

answers() {
	(exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# The broker's port; the controller's is 6000 above. Both are below the ports
# that the kernel hands out, so that they stay free over a restart too.
free_port() {
	local port i
	for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
		port=$((20000 + (RANDOM * 32768 + RANDOM) % 6000))
		answers "$port" || answers "$((port + 6000))" || {
			echo "$port"
			return
		}
	done
	die "no free port after $i tries"
}

properties() {
	cat <<-PROPERTIES
		process.roles=broker,controller
		node.id=1
		controller.quorum.voters=1@127.0.0.1:$2
		listeners=PLAINTEXT://127.0.0.1:$1,CONTROLLER://127.0.0.1:$2
		advertised.listeners=PLAINTEXT://127.0.0.1:$1
		controller.listener.names=CONTROLLER
		inter.broker.listener.name=PLAINTEXT
		log.dirs=$DIR/data
		num.partitions=4
		auto.create.topics.enable=false
		offsets.topic.replication.factor=1
		offsets.topic.num.partitions=4
		transaction.state.log.replication.factor=1
		transaction.state.log.min.isr=1
		transaction.state.log.num.partitions=4
		share.coordinator.state.topic.replication.factor=1
		share.coordinator.state.topic.min.isr=1
		group.initial.rebalance.delay.ms=0
		group.min.session.timeout.ms=1000
		log.retention.ms=-1
		num.network.threads=2
		num.io.threads=4
		log.cleaner.dedupe.buffer.size=8388608
	PROPERTIES
}

java_run() {
	java -Xmx"$HEAP" -Xms"$HEAP" -XX:+UseG1GC \
		-Dorg.slf4j.simpleLogger.defaultLogLevel=warn \
		-cp "$LIBS/*" "$@"
}

format() {
	local port
	port=$(free_port)
	mkdir -p "$DIR"
	properties "$port" "$((port + 6000))" >"$DIR/kraft.properties"
	java_run kafka.tools.StorageTool format -t MkU3OEVBNTcwNTJENDM2Qg \
		-c "$DIR/kraft.properties" >"$DIR/format.log" 2>&1 ||
		die "format failed, see $DIR/format.log"
	echo "$port" >"$DIR/port"
}

# True when it answers, false when it ended before it did.
launch() {
	local port i
	port=$(cat "$DIR/port")
	(
		# Not a child of whoever called: it outlives this script.
		exec 9>&-
		# shellcheck disable=SC2086
		setsid java -Xmx"$HEAP" -Xms"$HEAP" -XX:+UseG1GC ${KAFKA_JVM:-} \
			-Dorg.slf4j.simpleLogger.defaultLogLevel=warn \
			-cp "$LIBS/*" kafka.Kafka "$DIR/kraft.properties" \
			</dev/null >>"$DIR/log" 2>&1 &
		echo $! >"$DIR/pid"
	)
	for i in $(seq 300); do
		running || return 1
		if answers "$port"; then
			echo "127.0.0.1:$port" | tee "$DIR/address"
			return
		fi
		sleep 0.2
	done
	die "no answer on port $port after $i tries, see $DIR/log"
}

start() {
	local i
	running && { cat "$DIR/address"; return; }
	fetch
	for i in 1 2 3; do
		[ -s "$DIR/port" ] || format
		launch && return
		# Somebody else took a port between asking and binding; who has
		# been up once keeps data and port.
		[ ! -e "$DIR/address" ] || break
		rm -rf "$DIR/port" "$DIR/data"
	done
	die "ended at once, see $DIR/log"
}

stop() {
	local pid i
	running || { rm -f "$DIR/pid"; return 0; }
	pid=$(cat "$DIR/pid")
	kill "-$1" "$pid"
	for i in $(seq 200); do
		kill -0 "$pid" 2>/dev/null || break
		[ "$i" = 200 ] && kill -KILL "$pid"
		sleep 0.1
	done
	rm -f "$DIR/pid"
}

DIR=${2:-$CACHE/run/kafka}
case ${1:-} in
start) start ;;
stop) stop TERM ;;
kill) stop KILL ;;
address) running && cat "$DIR/address" ;;
fetch) fetch ;;
*) die "usage: kafka.sh start|stop|kill|address|fetch [DIR]" ;;
esac
