#!/bin/sh
# Installs the packages of packages.txt that are missing. Without root: prints the one line to run.
set -eu
cd "$(dirname "$0")/.."
missing=
while read -r p _; do
	[ -n "$p" ] && [ "$p" != "#" ] || continue
	dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing="$missing $p"
done <packages.txt
[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ]; then
	echo "These packages are missing; install them with:" >&2
	echo "  sudo apt-get install -y$missing" >&2
	exit 1
fi
# shellcheck disable=SC2086
DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing >/dev/null 2>&1 || {
	apt-get update -q >/dev/null
	# shellcheck disable=SC2086
	DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing
}
