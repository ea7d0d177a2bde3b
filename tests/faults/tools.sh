#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# What only the fault drills need, kept in ${SHOPVIEW_CACHE:-$HOME/.cache/shopview}.
#
#	tools.sh pymongo   MongoDB's Python driver; prints its folder
#	tools.sh dump      the Java reader of Kafka's log; prints its classpath
#
# The reader is compiled against the jars of tests/support/kafka.sh by ecj, which
# runs on a JRE. Needs: python3 with pip, maven, a JRE 17.

set -eu

PYMONGO=4.10.1
ECJ=3.33.0
KAFKA=${KAFKA_VERSION:-4.1.1}

here=$(cd "$(dirname "$0")" && pwd)
# Not every service and container has a HOME.
: "${HOME:=$(getent passwd "$(id -u)" | cut -d: -f6)}"
cache=${SHOPVIEW_CACHE:-$HOME/.cache/shopview}
mkdir -p "$cache"

die()
{
	echo "tools.sh: $*" >&2
	exit 1
}

# A driver belongs to one Python version: it has compiled parts.
get_pymongo()
{
	tag=$(python3 -c 'import sys; print("cp%d%d" % sys.version_info[:2])')
	dir=$cache/pymongo-$PYMONGO-$tag
	if [ ! -d "$dir" ]; then
		aside=$(mktemp -d "$cache/pymongo.XXXXXX")
		python3 -m pip install --quiet --disable-pip-version-check \
			--root-user-action ignore --no-deps --only-binary :all: \
			--target "$aside" "pymongo==$PYMONGO" >&2 ||
			die "cannot install pymongo $PYMONGO"
		mv "$aside" "$dir" 2>/dev/null || rm -rf "$aside"
	fi
	echo "$dir"
}

get_dump()
{
	"$here/../support/kafka.sh" fetch
	libs=$cache/kafka-$KAFKA/libs
	sum=$(cat "$here/KafkaDump.java" | sha256sum | cut -c1-16)
	dir=$cache/kafka-dump-$KAFKA-$sum
	if [ ! -d "$dir" ]; then
		aside=$(mktemp -d "$cache/kafka-dump.XXXXXX")
		mvn -B -q dependency:copy -DoutputDirectory="$aside" \
			-Dartifact="org.eclipse.jdt:ecj:$ECJ" >&2 ||
			die "cannot fetch ecj $ECJ"
		java -jar "$aside/ecj-$ECJ.jar" -17 -d "$aside" \
			-cp "$libs/kafka-clients-$KAFKA.jar" \
			"$here/KafkaDump.java" >&2 || die "KafkaDump.java"
		rm "$aside/ecj-$ECJ.jar"
		mv "$aside" "$dir" 2>/dev/null || rm -rf "$aside"
	fi
	echo "$dir:$libs/*"
}

case ${1:-} in
pymongo) get_pymongo ;;
dump) get_dump ;;
*)
	echo "usage: tools.sh pymongo|dump" >&2
	exit 64
	;;
esac
