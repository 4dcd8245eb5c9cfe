#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# usage: kselftest.sh DIR
#
# Take the kselftest headers, checkpatch and coccinelle's rules out of Debian's kernel source
# package. They are used at build time only; no copy is kept in this
# repository.

set -eu

dir=$1
tarball=/usr/src/linux-source-6.1.tar.xz
top=linux-source-6.1

if [ ! -r $tarball ]; then
	echo "$tarball is missing; run selftests/qemu/packages.sh as root" >&2
	exit 1
fi

mkdir -p "$dir"
# --occurrence stops reading once everything was found.
tar -C "$dir" -xf $tarball --strip-components=1 --occurrence=1 \
	$top/scripts/checkpatch.pl \
	$top/scripts/spelling.txt \
	$top/scripts/const_structs.checkpatch \
	$top/scripts/coccinelle \
	$top/tools/testing/selftests/kselftest.h \
	$top/tools/testing/selftests/kselftest_harness.h
mv "$dir"/tools/testing/selftests/*.h "$dir"
rm -r "$dir/tools"
touch "$dir/kselftest.h" "$dir/scripts/checkpatch.pl"
