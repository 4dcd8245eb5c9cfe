#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# usage: layers.sh NAME...
#
# Unpack what some tests need in the guest, but what cannot be installed on
# this machine, since it would start daemons here or conflicts with something
# else: each layer is a directory $BUILD/layers/NAME with the files of a few
# Debian packages. A test binds what it wants of it into its own mount
# namespace; the host's root file system, that the guest has, is left alone.
# check.sh calls this for tests that have the flag layer=NAME.

set -eu

declare -A packages=(
	[strongswan]="libstrongswan libstrongswan-standard-plugins
		libstrongswan-extra-plugins strongswan-libcharon
		strongswan-charon strongswan-swanctl libcharon-extra-plugins
		libcharon-extauth-plugins"
	[libreswan]="libreswan libnss3-tools libunbound8 libldns3
		libevent-2.1-7 libevent-core-2.1-7 libevent-pthreads-2.1-7"
)

# layer NAME: unpack it, unless that was done with the same packages
layer() {
	local dir=$BUILD/layers/$1 list=${packages[$1]:-} stamp deb

	if [ -z "$list" ]; then
		echo "layers.sh: no layer is called $1" >&2
		return 1
	fi
	# shellcheck disable=SC2086 # a list of words
	stamp=$(echo $list)
	[ ! -e "$dir.done" ] || [ "$(cat "$dir.done")" != "$stamp" ] || return 0

	echo "unpacking for the guest: $stamp"
	rm -rf "$dir" "$dir.deb" "$dir.done"
	mkdir -p "$dir" "$dir.deb"
	# apt's own sandbox user cannot write here; "unsandboxed" is a warning.
	# shellcheck disable=SC2086 # a list of words
	if ! fetch "$dir.deb" $list && ! { apt-get -q update >"$dir.log" 2>&1
					  fetch "$dir.deb" $list; }; then
		cat "$dir.log" >&2
		return 1
	fi
	for deb in "$dir.deb"/*.deb; do
		dpkg -x "$deb" "$dir"
	done
	rm -rf "$dir.deb" "$dir.log"
	echo "$stamp" >"$dir.done"
}

fetch() {
	local to=$1

	shift
	(cd "$to" && apt-get -q download "$@") >"${to%.deb}.log" 2>&1
}

mkdir -p "$BUILD/layers"
exec {lock}>"$BUILD/layers/.lock"
flock "$lock"
for name; do
	layer "$name"
done
