#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Copies projections/template to projections/NAME with the name replaced.
# Usage: new_projection.sh NAME
set -eu
cd "$(dirname "$0")/../.."
name=${1:-}

refuse() {
	echo "new-projection: $1" >&2
	exit 64
}

[ -n "$name" ] || refuse "name it: make new-projection NAME=x"
# The same rule as readmodel_is_projection_name().
printf '%s\n' "$name" | LC_ALL=C grep -qxE '[a-z][a-z0-9_]{0,31}' ||
	refuse "'$name': a name is [a-z][a-z0-9_]{0,31}"
[ "$(printf '%s\n' "$name" | wc -l)" = 1 ] ||
	refuse "'$name': a name is one line"
[ "$name" != pages ] || refuse "'pages' is a path of the read API"
[ ! -e "projections/$name" ] || refuse "projections/$name exists"

# Built aside and moved in whole: a failure leaves nothing half-made.
aside=$(mktemp -d "projections/.new.XXXXXX")
trap 'rm -rf "$aside"' EXIT
chmod 755 "$aside"
cp -R projections/template/. "$aside"
mv "$aside/template.c" "$aside/$name.c"
find "$aside" -type f -exec sed -i "s/template/$name/g" {} +
mv "$aside" "projections/$name"

cat <<EOF
projections/$name is there. Try it:

	make
	build/release/projector/projector fold $name \\
		< projections/$name/tests/ordinary/events.ndjson
	make check-golden CASE=$name/

Then make it yours: projections/README.md.
EOF
