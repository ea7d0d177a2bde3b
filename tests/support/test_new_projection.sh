#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A developer's first quarter of an hour, in a copy of the tree: a projection is
# made from the template, built, tested, fed and read over HTTP, and no file
# that was there is touched. Prints a closing line that counts.
#
# Usage: test_new_projection.sh [BUILD]   a build to copy objects from
set -u
cd "$(dirname "$0")/../.." || exit 1
build=${1:-${BUILD:-build/release}}
work=$(mktemp -d)
good=0
bad=0
api=

finish() {
	[ -z "$api" ] || kill "$api" 2>/dev/null
	rm -rf "$work"
}
trap finish EXIT
trap 'exit 1' INT TERM

# check WHAT COMMAND…: the command succeeds.
check() {
	what=$1
	shift
	if "$@" >"$work/log" 2>&1; then
		good=$((good + 1))
	else
		bad=$((bad + 1))
		echo "FAIL $what"
		sed 's/^/    /' "$work/log" | tail -n 20
	fi
}

# refuses NAME TEXT: new-projection says no, says why, and leaves nothing.
refuses() {
	before=$(ls -A projections)
	said=$(make -s new-projection NAME="$1" 2>&1) && return 1
	echo "$said"
	echo "$said" | grep -qF "$2" && [ "$before" = "$(ls -A projections)" ]
}

make_it() {
	make -s new-projection NAME=waiting_line
}

every_mention_is_renamed() {
	! grep -rn template projections/waiting_line &&
		[ -f projections/waiting_line/waiting_line.c ]
}

# Without a word from the compiler about the module.
build_it() {
	make all "$B/tests/golden/test_golden" B="$B" >"$work/made" 2>&1
	made=$?
	cat "$work/made"
	[ "$made" = 0 ] &&
		! grep -q 'projections/waiting_line.*warning:' "$work/made"
}

passes_its_golden_cases() {
	"$B/tests/golden/test_golden" waiting_line/ >"$work/golden" 2>&1 || {
		cat "$work/golden"
		return 1
	}
	grep -qF '[  PASSED  ] 2 test(s).' "$work/golden"
}

a_wrong_expectation_is_found() {
	case=projections/waiting_line/tests/ordinary
	cp $case/expected.json "$work/kept"
	sed -i 's/"people":4/"people":5/' $case/expected.json
	"$B/tests/golden/test_golden" waiting_line/ordinary >"$work/golden" 2>&1
	found=$?
	cp "$work/kept" $case/expected.json
	[ "$found" != 0 ] && grep -q '^- {"id":"s1"' "$work/golden" &&
		grep -q '^+ {"id":"s1"' "$work/golden"
}

folds_without_services() {
	"$B/projector/projector" fold waiting_line --deleted \
		<projections/waiting_line/tests/ordinary/events.ndjson \
		>"$work/folded" 2>"$work/parked" || return 1
	{
		echo '['
		paste -sd, "$work/folded"
		echo ']'
	} >"$work/array"
	python3 - "$work/array" \
		projections/waiting_line/tests/ordinary/expected.json <<'EOF'
import json, sys
got, want = (json.load(open(p), object_pairs_hook=list) for p in sys.argv[1:])
sys.exit(0 if got == want else f"{got}\n{want}")
EOF
}

takes_its_option() {
	"$B/projector/projector" fold waiting_line \
		-s projection.waiting_line.max_length=2 \
		<projections/waiting_line/tests/full/events.ndjson 2>&1 |
		grep -q '^parked waiting_line_queue/0@8: .*the queue is full'
}

write_archive() {
	mkdir -p "$work/events/waiting_line_queue" &&
		for p in 0 1; do
			grep "\"partition\":$p," \
				projections/waiting_line/tests/ordinary/events.ndjson \
				>"$work/events/waiting_line_queue/$p.ndjson"
		done
	cat >"$work/conf" <<EOF
source { type = archive  dir = "$work/events" }
store { type = lmdb  path = "$work/store" }
projector { admin_listen = "" }
queryapi { listen = "127.0.0.1:0"  admin_listen = "127.0.0.1:0" }
EOF
}

projects_it() {
	write_archive &&
		"$B/projector/projector" run --until-end -c "$work/conf"
}

# The port is in the log as soon as it is open.
start_api() {
	"$B/queryapi/queryapi" run -c "$work/conf" >"$work/api.log" 2>&1 &
	api=$!
	python3 - "$work/api.log" "$api" >"$work/port" <<'EOF'
import os, re, sys, time
end = time.monotonic() + 20
while time.monotonic() < end:
    found = re.search(r"127\.0\.0\.1:(\d+)", open(sys.argv[1]).read())
    if found:
        print(found.group(1))
        sys.exit(0)
    os.kill(int(sys.argv[2]), 0)
    time.sleep(0.02)
sys.exit("queryapi logged no port: " + open(sys.argv[1]).read())
EOF
}

# answers PATH STATUS TEXT; the first picture of the store may be a moment off.
answers() {
	python3 - "http://127.0.0.1:$(cat "$work/port")$1" "$2" "$3" <<'EOF'
import sys, time, urllib.error, urllib.request
url, status, text = sys.argv[1], int(sys.argv[2]), sys.argv[3]
end = time.monotonic() + 20
while True:
    try:
        answer = urllib.request.urlopen(url, timeout=5)
    except urllib.error.HTTPError as error:
        answer = error
    except OSError as error:
        answer = None
        got = str(error)
    if answer is not None:
        got = f"{answer.status} {answer.read().decode()}"
        if answer.status == status and text in got:
            sys.exit(0)
    if time.monotonic() > end:
        sys.exit(f"{url}: {got[:400]}")
    time.sleep(0.05)
EOF
}

nothing_else_was_touched() {
	find . -type f ! -path "./$B/*" ! -path './projections/waiting_line/*' \
		! -path './data/*' ! -name '*.pyc' -exec sha256sum {} + |
		sort >"$work/after"
	diff "$work/before" "$work/after"
}

# ---- The copy ------------------------------------------------------------

mkdir "$work/tree"
tar -cf - --exclude=./build --exclude=./.git --exclude=./data \
	--exclude=./.stack . | tar -xf - -C "$work/tree"
B=build/new
if [ -d "$build" ]; then
	# Objects that are current stay so: make looks at times.
	mkdir -p "$work/tree/build" && cp -a "$build" "$work/tree/$B"
	rm -rf "$work/tree/$B/demo"
fi
cd "$work/tree" || exit 1
rm -rf projections/waiting_line
find . -type f ! -path "./$B/*" ! -name '*.pyc' -exec sha256sum {} + |
	sort >"$work/before"

check 'refuses no name' refuses '' 'name it'
check 'refuses an upper-case name' refuses Queue 'a name is [a-z]'
check 'refuses a name that begins with a digit' refuses 9lives 'a name is [a-z]'
check 'refuses a path' refuses ../x 'a name is [a-z]'
check 'refuses a name of 33 characters' \
	refuses abcdefghijklmnopqrstuvwxyz0123456 'a name is [a-z]'
check 'refuses the name of a path of the API' refuses pages 'read API'
check 'refuses to overwrite' refuses stock 'projections/stock exists'
check 'refuses the template itself' refuses template 'exists'
check 'makes it' make_it
check 'every mention of the template is renamed' every_mention_is_renamed
check 'refuses to make it twice' refuses waiting_line 'exists'
check 'builds' build_it
check 'passes its golden cases' passes_its_golden_cases
check 'a wrong expectation is found' a_wrong_expectation_is_found
check 'folds without services' folds_without_services
check 'takes its option' takes_its_option
check 'projects it' projects_it
check 'starts the API' start_api
check 'serves a document' answers /v1/waiting_line/s1 200 '"ticket":"t2"'
check 'serves a deleted one as gone' answers /v1/waiting_line/s2 410 ''
check 'describes it' answers /openapi.json 200 '/v1/waiting_line/'
check 'nothing else was touched' nothing_else_was_touched

echo "$good passed, $bad failed"
[ "$bad" = 0 ]
