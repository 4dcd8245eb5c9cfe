#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Parsers in user space against inputs that a machine makes up: each program of
# selftests/fuzz for DURATION seconds, beginning with what lies in the directory of
# the same name. What makes one fail is left in $BUILD/fuzz. Runs on the host.

# shellcheck source=lib.sh
. selftests/lib.sh

OUT=$BUILD/fuzz
sources=(tools/credential*.c lib/*.c)
for file in tools/tokend/*.c; do
	[ "$file" = tools/tokend/main.c ] || sources+=("$file")
done

# What all programs share is compiled once.
objects() {
	cd "$OUT/objects" || return
	clang -c -g -O1 -D_GNU_SOURCE -I"$TOP/include" -I"$TOP/include/uapi" \
		-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined \
		"${sources[@]/#/$TOP/}"
}

program() {
	clang -g -O1 -D_GNU_SOURCE -Iinclude -Iinclude/uapi \
		-fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined \
		-o "$OUT/$1" "selftests/fuzz/$1.c" "$OUT"/objects/*.o -lmnl -lcrypto -lpthread
}

# The second mask: what the parsers complain of is of no interest.
fuzz() {
	local name=$1

	mkdir -p "$OUT/corpus-$name"
	"$OUT/$name" -max_total_time="${DURATION:-5}" -max_len=8192 -timeout=20 -close_fd_mask=3 \
		-rss_limit_mb=1024 -artifact_prefix="$OUT/$name-" \
		"$OUT/corpus-$name" "selftests/fuzz/$name" >"$OUT/$name.log" 2>&1 &&
		return
	tail -n 40 "$OUT/$name.log"
	return 1
}

# How many inputs it took, from the last words of a run.
inputs() {
	sed -n 's/^Done \([0-9]*\) runs.*/\1/p' "$OUT/$1.log"
}

programs=(selftests/fuzz/*.c)
programs=("${programs[@]##*/}")
programs=("${programs[@]%.c}")

plan $((1 + 3 * ${#programs[@]}))
mkdir -p "$OUT/objects"
rm -f "$OUT"/objects/*.o
check "what they share is compiled" objects
for name in "${programs[@]}"; do
	check "$name: is compiled" program "$name"
	check "$name: nothing found in ${DURATION:-5} seconds" fuzz "$name"
	check "$name: it looked" test "$(inputs "$name")" -gt "$(ls "selftests/fuzz/$name" | wc -l)"
	diag "$name: $(inputs "$name") inputs"
done
finish
