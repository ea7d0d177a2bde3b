#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# clang-format agrees with every C file. Prints a closing line that counts.
set -u
cd "$(dirname "$0")/../.." || exit 1
good=0
bad=0
for f in $(find include lib projector queryapi projections tests \
	-name '*.[ch]' | sort); do
	if clang-format --dry-run -Werror "$f" >/dev/null 2>&1; then
		good=$((good + 1))
	else
		bad=$((bad + 1))
		echo "not formatted: $f (clang-format -i $f)"
	fi
done
echo "$good passed, $bad failed"
[ "$bad" = 0 ]
