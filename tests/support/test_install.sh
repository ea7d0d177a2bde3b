#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What `make install` installs works, a module compiles against it alone, its
# systemd units are good ones (said by systemd-analyze, where it is), and `make
# uninstall` leaves nothing. BUILD: an up-to-date build (its objects are
# used for the staged install; the one with a prefix of its own is built aside).
set -u
cd "$(dirname "$0")/../.." || exit 1
build=$(realpath "${BUILD:-build/release}")
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
passed=0
failed=0

# check SENTENCE COMMAND...: counts; a failure shows what the command said.
check() {
	sentence=$1
	shift
	if "$@" >"$tmp/said" 2>&1; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "FAIL $sentence"
		tail -20 "$tmp/said"
	fi
}

quiet_make() {
	make --no-print-directory "$@"
}

# folds PROJECTOR OPTION...: the sample's stock, as the build folds it.
folds() {
	cat tests/sample/events/stock/*.ndjson >"$tmp/events"
	"$@" fold stock <"$tmp/events" >"$tmp/folded" || return 1
	cmp "$tmp/folded" tests/sample/expected/stock.ndjson
}

# It looks for a store too and finds none; what matters is what it loaded.
loads_all() {
	"$1" check -s store.path="$tmp/store" -s source.dir="$tmp/none" \
		>"$tmp/looked" 2>&1
	for file in projections/*/*.c; do
		name=$(basename "$(dirname "$file")")
		[ "$name" = template ] ||
			grep -q "^ok  *module $name " "$tmp/looked" || {
			echo "$name was not loaded"
			cat "$tmp/looked"
			return 1
		}
	done
}

# units PREFIX: both are there, start what was installed, and are good units.
units() {
	for program in projector queryapi; do
		file=$1/lib/systemd/system/shopview-$program.service
		grep -qx "ExecStart=$1/bin/$program run -c /etc/shopview.conf" \
			"$file" || {
			echo "$file does not start $1/bin/$program"
			return 1
		}
	done
	command -v systemd-analyze >/dev/null || return 0
	# It is quiet about good ones; about others its status may be 0.
	systemd-analyze verify --man=no "$1"/lib/systemd/system/*.service \
		>"$tmp/verified" 2>&1
	status=$?
	cat "$tmp/verified"
	[ $status = 0 ] && ! grep -q shopview- "$tmp/verified"
}

# What makes the read API's unit more than a way to start it.
is_confined() {
	for line in DynamicUser=yes NoNewPrivileges=yes CapabilityBoundingSet= \
		ProtectSystem=strict MemoryDenyWriteExecute=yes \
		SystemCallFilter=@system-service Restart=on-failure \
		"RestartPreventExitStatus=64 78"; do
		grep -qx "$line" "$1" || {
			echo "$1 does not say $line"
			return 1
		}
	done
}

# No file, no directory of its own; `lib` anybody may need.
nothing_left() {
	left=$(find "$1" ! -type d -o -empty ! -name lib)
	[ -z "$left" ] || {
		echo "left: $left"
		return 1
	}
}

# ---- Staged, as a package is made ----------------------------------------

root=$tmp/root
check "it installs into DESTDIR" \
	quiet_make install B="$build" DESTDIR="$root" PREFIX="${PREFIX:-/usr/local}"
staged=$root${PREFIX:-/usr/local}
check "the installed projector tells its version" \
	sh -c '"$1" --version | grep -qx "projector $(cat VERSION)"' - \
	"$staged/bin/projector"
check "the installed queryapi tells its version" \
	sh -c '"$1" --version | grep -qx "queryapi $(cat VERSION)"' - \
	"$staged/bin/queryapi"
check "staged programs fold with staged modules" \
	folds "$staged/bin/projector" \
	-s projector.modules="$staged/lib/shopview/projections"

mkdir "$tmp/own"
cp projections/stock/stock.c "$tmp/own"
check "a module compiles against the installed headers alone" \
	${CC:-cc} -std=c17 -Wall -Wextra -Werror -O2 -fPIC -fvisibility=hidden \
	-shared -I"$staged/include" -o "$tmp/own/stock.so" "$tmp/own/stock.c"
check "and the installed projector runs it" \
	folds "$staged/bin/projector" -s projector.modules="$tmp/own"
check "it uninstalls from DESTDIR" \
	quiet_make uninstall B="$build" DESTDIR="$root" \
	PREFIX="${PREFIX:-/usr/local}"
check "nothing of it is left in DESTDIR" nothing_left "$root"

# ---- With a prefix, as a person does it ----------------------------------

prefix=$tmp/prefix
check "it builds and installs with a prefix" \
	quiet_make -j2 install B="$tmp/build" PREFIX="$prefix" CFLAGS=-O1
check "the installed projector finds its modules by itself" \
	folds "$prefix/bin/projector"
check "and loads every bundled one" loads_all "$prefix/bin/projector"
check "its units start it" units "$prefix"
check "the read API's unit lets it do little" \
	is_confined "$prefix/lib/systemd/system/shopview-queryapi.service"
check "it uninstalls" quiet_make uninstall B="$tmp/build" PREFIX="$prefix"
check "nothing is left under the prefix" nothing_left "$prefix"

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
