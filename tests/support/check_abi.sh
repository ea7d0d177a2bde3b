#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The ABI of modules is include/projector/abi.syms: the projector exports
# exactly that, the headers declare exactly that, and modules import nothing
# but that and libc. Prints each difference, then a closing line that counts.
#
# Usage: check_abi.sh [BUILD [ROOT]]
set -u
cd "${2:-$(dirname "$0")/../..}" || exit 1
build=${1:-${BUILD:-build/release}}
export LC_ALL=C
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
good=0
bad=0

# same WHAT FILE: the file lists what abi.syms lists.
same() {
	if diff "$work/syms" "$2" >"$work/diff"; then
		good=$((good + 1))
		return
	fi
	bad=$((bad + 1))
	sed -nE "s|^< |in abi.syms, not $1: |p; s|^> |$1, not in abi.syms: |p" \
		"$work/diff"
}

sed -nE 's/^[[:space:]]*(pj_[a-z0-9_]+);.*/\1/p' include/projector/abi.syms \
	>"$work/listed"
sort -u "$work/listed" >"$work/syms"
if [ -s "$work/syms" ] && sort -c "$work/listed" 2>/dev/null &&
	[ "$(wc -l <"$work/listed")" = "$(wc -l <"$work/syms")" ]; then
	good=$((good + 1))
else
	echo 'abi.syms: expected names in order, each once'
	bad=$((bad + 1))
fi

# What the program lets a module find.
nm -D --defined-only "$build/projector/projector" |
	awk '$NF ~ /^pj_/ {print $NF}' | sort -u >"$work/exported"
same 'exported by the projector' "$work/exported"

# What the headers declare: names before ( or, for the tables, before ;.
# The preprocessor takes comments and macros away.
for header in include/projector/*.h; do
	echo "#include <projector/${header##*/}>"
done | ${CC:-cc} -std=c17 -Iinclude -E -P - | tr '\n' ' ' |
	sed -E 's/([;{}])/\1\n/g' |
	grep -oE '\bpj_[a-z0-9_]+ *\([^*]|extern const struct pj_topic pj_topic_[a-z0-9_]+' |
	grep -oE 'pj_[a-z0-9_]+ *\(?.?$' | grep -oE '^pj_[a-z0-9_]+' |
	sort -u >"$work/declared"
same 'declared in include/projector' "$work/declared"

# What modules need from outside; versioned names are libc's.
libc=$(${CC:-cc} -print-file-name=libc.so.6)
nm -D --defined-only "$libc" | awk '{sub(/@.*/, "", $NF); print $NF}' |
	sort -u >"$work/libc"
for module in "$build"/projections/*.so; do
	nm -D --undefined-only "$module" |
		awk '$1 != "w" && $(NF - 1) != "w" {sub(/@.*/, "", $NF); print $NF}' |
		grep -vE '^__(asan|ubsan|tsan|sanitizer)_' | sort -u >"$work/needed"
	if sort -u "$work/syms" "$work/libc" | comm -13 - "$work/needed" |
		grep . >"$work/foreign"; then
		sed "s|^|$module imports |" "$work/foreign"
		bad=$((bad + 1))
	else
		good=$((good + 1))
	fi
done

echo "$good passed, $bad failed"
[ "$bad" = 0 ]
