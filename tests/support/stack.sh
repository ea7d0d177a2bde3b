#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A real Kafka and a real MongoDB (replica set) on loopback ports that were
# free, their data and logs in DIR.
#
#	stack.sh start DIR	prints what to put into shopview.conf
#	stack.sh stop DIR
set -eu
here=$(dirname "$0")
verb=${1:?start or stop}
dir=${2:?directory}
MONGO_ADMIN=${MONGO_ADMIN:-${BUILD:-build/release}/tests/support/mongo_admin}
export MONGO_ADMIN

case $verb in
start)
	mkdir -p "$dir"
	brokers=$("$here/kafka.sh" start "$dir/kafka")
	uri=$("$here/mongo.sh" start "$dir/mongo")
	cat >"$dir/shopview.conf" <<-CONF
		source { type = kafka  brokers = "$brokers" }
		store { type = mongodb  uri = "$uri"  database = "shopview" }
		page "shop" { parts = {"shop", "shop_products", "review_summary"} }
	CONF
	echo "Kafka   $brokers"
	echo "MongoDB $uri"
	echo "Settings for both are in $dir/shopview.conf"
	;;
stop)
	rc=0
	"$here/mongo.sh" stop "$dir/mongo" || rc=1
	"$here/kafka.sh" stop "$dir/kafka" || rc=1
	exit $rc
	;;
*)
	echo "usage: stack.sh start|stop DIR" >&2
	exit 64
	;;
esac
