#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# "make install" into an empty directory: what is there afterwards, and whether
# programs can be built with it and nothing else. Runs on the host.

# shellcheck source=lib.sh
. selftests/lib.sh

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
prefix=/opt/ipsec-token
root=$dir$prefix

# The environment may be that of another make.
install_there() {
	env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS make -s install \
		BUILD="$BUILD" DESTDIR="$dir" PREFIX=$prefix
}

# there MODE FILE: installed, with these permissions
there() {
	is "$(stat -L -c %a "$dir/$2" 2>&1)" "$1" "installed: $2"
}

# pc ARGUMENT...: as for who looks for libraries in the directory
pc() {
	PKG_CONFIG_PATH=$root/lib/pkgconfig PKG_CONFIG_SYSROOT_DIR=$dir pkg-config "$@" ipsec-token
}

# builds NAME COMPILER... : a program from $dir/NAME, to run
builds() {
	local source=$1

	shift
	# shellcheck disable=SC2046 # several words
	"$@" -Wall -Wextra -Werror "$source" -o "$dir/program" $(pc --cflags --libs)
}

examples=(lib/examples/*.c)
symbols=$(sed -n 's/^\t\(ipsec_.*\);$/\1/p' lib/libipsec-token.map)
# shellcheck disable=SC2086 # several words
set -- $symbols
plan $((33 + ${#examples[@]} + $#))

check "make install" install_there
check "and once more" install_there
check "nothing elsewhere" [ "$(cd "$dir" && echo *)" = "lib opt" ]

there 644 "lib/modules/$KVER/extra/ipsec_token.ko"
there 644 $prefix/include/linux/ipsec_token.h
there 644 $prefix/include/ipsec/token.h
there 755 $prefix/lib/libipsec-token.so.0
there 755 $prefix/lib/libipsec-token.so
there 644 $prefix/lib/libipsec-token.a
there 644 $prefix/lib/pkgconfig/ipsec-token.pc
there 755 $prefix/sbin/ipsec-token
there 755 $prefix/sbin/ipsec-tokend
there 755 $prefix/libexec/ipsec-token/updown-libreswan
there 644 $prefix/share/bash-completion/completions/ipsec-token
there 644 $prefix/share/ipsec-token/ipsec_token.yaml
for section in 3 7 8; do
	there 644 $prefix/share/man/man$section/ipsec-token.$section
done
for symbol; do
	there 644 "$prefix/share/man/man3/$symbol.3"
done
is "$(find "$dir" -type f -perm /022)" "" "nothing that others may write"

is "$(/usr/sbin/modinfo -F name "$dir/lib/modules/$KVER/extra/ipsec_token.ko")" ipsec_token \
   "the module is one"
is "$(objdump -p "$root/lib/libipsec-token.so.0" | awk '$1 == "SONAME" { print $2 }')" \
   libipsec-token.so.0 "the library's own name"
is "$(nm -D --defined-only "$root/lib/libipsec-token.so.0" |
      awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' | sort | xargs)" \
   "$(sort <<<"$symbols" | xargs)" "it exports what it should, and nothing else"

# One version, wherever it stands.
version=$(sed -n 's/^VERSION	*:= //p' Makefile)
is "$("$root/sbin/ipsec-token" -V)" "ipsec-token $version" "version: the command"
is "$(pc --modversion)" "$version" "version: pkg-config"
is "$(sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' dkms.conf)" "$version" "version: DKMS"
is "$(pc --variable=includedir) $(pc --variable=libdir)" "$root/include $root/lib" \
   "pkg-config: where things are"
is "$(pc --libs | xargs)" "-L$root/lib -lipsec-token" "pkg-config: what a program needs"

for example in "${examples[@]}"; do
	check "builds: $example" builds "$example" cc
done
# Its standard input is no connection: that is an answer, too.
builds lib/examples/private.c cc
LD_LIBRARY_PATH=$root/lib "$dir/program" </dev/null >"$dir/output"
is $? 1 "an example runs"

cat >"$dir/program.cc" <<-END
	#include <ipsec/token.h>
	int main()
	{
		ipsec_ptoken_t ptoken;
		struct ipsec_ptoken_attributes attributes;

		if (ipsec_ptoken_from_fd(-1, &ptoken) >= 0)
			return 1;
		ptoken = IPSEC_PTOKEN_NONE;
		return ipsec_ptoken_equal(ptoken, IPSEC_PTOKEN_NONE) != 1 || sizeof(attributes) < 24;
	}
END
check "builds: a C++ program" builds "$dir/program.cc" g++ -std=c++11 -pedantic
check "which runs" env LD_LIBRARY_PATH="$root/lib" "$dir/program"

# completes WORD...: what bash offers for the last word of a command line
completes() {
	bash -c '. "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
		_ipsec_token; echo "${COMPREPLY[*]}"' \
		bash "$root/share/bash-completion/completions/ipsec-token" ipsec-token "$@"
}
is "$(completes co)" "context config" "completion: objects"
is "$(completes -j untrusted a)" "add" "completion: verbs"
is "$(completes gate --require privacy --method pkix_t)" pkix_trusted "completion: options"

finish
