#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Who may include whom. Prints each breach, then a closing line that counts
# files without and with one.
#
#	include, projections   <projector/…>, pure libc, a module its own files
#	lib                    include, lib
#	projector              include, lib, projector
#	queryapi               include, lib, queryapi
#
# A stage of a record's way never includes another: what they share travels
# between them (record.h, doc.h, lane.h, job.h, …). Only those that drive the
# stages see them all.
#
# Usage: check_layers.sh [ROOT]
set -u
cd "${1:-$(dirname "$0")/../..}" || exit 1

find include lib projector queryapi projections -name '*.[ch]' | sort |
	xargs awk '
BEGIN {
	n = split("source decode router fold batch writer offsets", stages)
	split("core pipeline replay", drivers)
	# The batch says what is durable; offsets keeps that book.
	may["batch>offsets"] = 1
	# Of libc, what a pure function can use: no clock, no I/O beyond text.
	split("assert ctype errno inttypes limits math stdalign stdarg " \
	      "stdbool stddef stdint stdio stdlib string", libc_names)
	for (i in libc_names)
		libc["<" libc_names[i] ".h"] = 1
}

# The stage a file is part of: fold.c, and what is named fold_….c.
function stage(path,  base, i) {
	base = path
	sub(/.*\//, "", base)
	sub(/\.[ch]$/, "", base)
	for (i = 1; i <= n; i++)
		if (base == stages[i] || index(base, stages[i] "_") == 1)
			return stages[i]
	return ""
}

function drives(path,  base, i) {
	base = path
	sub(/.*\//, "", base)
	sub(/\.[ch]$/, "", base)
	for (i in drivers)
		if (base == drivers[i] || index(base, drivers[i] "_") == 1)
			return 1
	return 0
}

function breach(why) {
	printf "%s:%d: %s: %s\n", FILENAME, FNR, $0, why
	if (!(FILENAME in broken))
		bad++
	broken[FILENAME] = 1
}

function check_projector(name,  mine, theirs) {
	if (name !~ /^"projector\//)
		return
	theirs = stage(name)
	mine = stage(FILENAME)
	if (theirs == "" || mine == theirs || (mine ">" theirs) in may)
		return
	if (mine != "")
		breach("a stage includes no other stage")
	# Ports and their declarations are what verbs start from.
	else if (theirs != "source" && theirs != "decode" && !drives(FILENAME))
		breach("only core, pipeline and replay drive the stages")
}

function check_module(name,  own) {
	if (name ~ /^<projector\// || name in libc)
		return
	own = FILENAME
	sub(/[^\/]*$/, "", own)
	own = own substr(name, 2)
	if (name ~ /^"[^\/]*$/ && (getline line < own) >= 0)
		return
	breach("a module includes <projector/…>, pure libc and its own files")
}

FNR == 1 { files++ }

/^[ \t]*#[ \t]*include/ {
	name = $0
	sub(/^[ \t]*#[ \t]*include[ \t]*/, "", name)
	sub(/[>"][^>"]*$/, "", name)
	room = FILENAME
	sub(/\/.*/, "", room)
	if (room == "projections" || room == "include")
		check_module(name)
	else if (name ~ /^</)
		next
	else if (name !~ /^"lib\// && index(name, "\"" room "/") != 1)
		breach(room " may include include/, lib/ and itself")
	else if (room == "projector")
		check_projector(name)
}

END {
	printf "%d passed, %d failed\n", files - bad, bad
	exit (bad > 0)
}' || exit 1
