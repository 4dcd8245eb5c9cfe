#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Everything that finds mistakes without running the code. Every check runs,
# the exit status says whether all were content. Called by "make lint".

set -u

checkpatch=$BUILD/kselftest/scripts/checkpatch.pl
out=$BUILD/lint
bad=0

rm -rf "$out"
mkdir -p "$out"

# lint NAME COMMAND...: content if the command succeeds
lint() {
	local name=$1

	shift
	if "$@" >"$out/$name" 2>&1; then
		echo "lint: $name: ok"
	else
		cat "$out/$name"
		echo "lint: $name: FAILED"
		bad=1
	fi
}

# silent COMMAND...: turns output of the command into a failure
silent() {
	local text

	text=$("$@" 2>&1) && [ -z "$text" ] && return
	echo "$text"
	return 1
}

shopt -s nullglob
module=(kernel/*.[ch] include/uapi/linux/*.h)
library=(lib/*.[ch] include/ipsec/*.h)
programs=(lib/examples/*.c tools/*.[ch] tools/tokend/*.[ch] tools/libexec/*.[ch]
	selftests/*.[ch] selftests/helpers/*.[ch] selftests/fuzz/kernel/*.[ch] selftests/net/*.c)
userspace=(lib/*.c lib/examples/*.c tools/*.c tools/tokend/*.c tools/libexec/*.c
	selftests/*.c selftests/helpers/*.c selftests/fuzz/kernel/*.c selftests/net/*.c)
include=(-Iinclude -Iinclude/uapi -D_GNU_SOURCE -isystem "$BUILD/kselftest"
	'-DIPSEC_TOKEN_VERSION="lint"')

# ---------------------------------------------------------------- checkpatch
# Ignored in user space: advice to use what only the kernel has (types, BIT(),
# ARRAY_SIZE(), __printf()), AVOID_EXTERNS, since headers are read by C++ too,
# MACRO_ARG_REUSE, which tests may, EMBEDDED_FUNCTION_NAME, which stumbles over
# functions that are called what they are about, CAMELCASE, which is what C
# itself has in _Alignas and PRIu64, and SPLIT_STRING and STRING_FRAGMENTS: nobody
# searches for texts that a test expects as for messages in a kernel log. Protocols
# of tests have "events events" and spaces at an end of a line, their helpers return
# errno values as they are, and argument vectors are not constant.
patch() {
	perl "$checkpatch" --no-tree --no-summary --terse --show-types --strict \
		--max-line-length=100 -f "$@"
}
checkpatch_kernel() { patch "${module[@]}"; }
checkpatch_user() {
	patch --ignore PREFER_KERNEL_TYPES,BIT_MACRO,ARRAY_SIZE \
		--ignore PREFER_DEFINED_ATTRIBUTE_MACRO,AVOID_EXTERNS \
		--ignore MACRO_ARG_REUSE,EMBEDDED_FUNCTION_NAME \
		--ignore CAMELCASE,SPLIT_STRING,STRING_FRAGMENTS \
		--ignore MULTIPLE_ASSIGNMENTS,QUOTED_WHITESPACE_BEFORE_NEWLINE \
		--ignore REPEATED_WORD,USE_NEGATIVE_ERRNO,STATIC_CONST_CHAR_ARRAY \
		--ignore COMPLEX_MACRO \
		"${library[@]}" "${programs[@]}"
}
lint checkpatch-kernel checkpatch_kernel
lint checkpatch-userspace checkpatch_user
# The cache that checkpatch leaves where it was run.
rm -f .checkpatch-camelcase.*

# --------------------------------------------------------- sparse, gcc's W=1
# A build directory of its own, so that every file is looked at every time.
sparse() {
	local dir=$out/module text

	mkdir -p "$dir/kernel"
	touch "$dir/Makefile"
	# Warnings about the kernel's own headers are not ours to fix.
	text=$(make -s -C "$KDIR" M="$dir" src="$TOP" W=1 C=2 \
		CONFIG_DEBUG_INFO_BTF_MODULES= modules 2>&1) || { echo "$text"; return 1; }
	! grep -E "^($TOP|$dir)/.*(warning|error):" <<<"$text"
}
lint module-W1-sparse sparse

# ---------------------------------------------------------------- kernel-doc
lint kernel-doc silent perl "$KDIR/scripts/kernel-doc" -none \
	"${module[@]}" "${library[@]}"

# ------------------------------------------------- gcc's analyzer, C++, 32 bit
# Programs that soon exit may leave memory and files to that. A test may die of
# a NULL where memory ran out: it failed, which is right.
analyzer() {
	local file lenient status=0

	for file in "${userspace[@]}"; do
		lenient=()
		[[ $file == lib/* ]] ||
			lenient+=(-Wno-analyzer-{malloc,file}-leak)
		[[ $file != selftests/* ]] ||
			lenient+=(-Wno-analyzer-possible-null-{argument,dereference})
		gcc "${include[@]}" -O1 -Wall -Wextra -Werror -fanalyzer \
			-fdiagnostics-path-format=none "${lenient[@]}" \
			-c -o /dev/null "$file" || status=1
	done
	return $status
}
lint gcc-analyzer analyzer

headers() {
	local file status=0

	for file in include/ipsec/*.h include/uapi/linux/*.h; do
		gcc "${include[@]}" -Wall -Wextra -Werror -pedantic -std=c99 \
			-fsyntax-only -x c "$file" || status=1
		g++ "${include[@]}" -Wall -Wextra -Werror \
			-fsyntax-only -x c++ "$file" || status=1
	done
	return $status
}
lint headers-c99-c++ headers

# ------------------------------------------------------------------ cppcheck
# It does not read the system's headers (missingIncludeSystem), so that it has
# to be told of macros that look like statements.
lint cppcheck cppcheck -q --enable=warning,portability --error-exitcode=1 \
	--inline-suppr --suppress=missingIncludeSystem -Iinclude -Iinclude/uapi \
	-D_GNU_SOURCE -D__linux__ \
	'-Dmnl_attr_for_each_nested(attr,nest)=while (next(&attr))' \
	'-Dmnl_attr_for_each(attr,nlh,offset)=while (next(&attr))' \
	"${userspace[@]}"

# --------------------------------- the kernel's rules for coccinelle, clang's analyzer
lint coccinelle selftests/lint_coccinelle.sh
lint clang-analyzer selftests/lint_clang.sh

# ---------------------------------------------------------------- shellcheck
# 1091: lib.sh is found at run time, from the top of the tree; 2154: so are the
# variables it sets; 2015: "a && b || c" is how results are told here.
lint shellcheck shellcheck -S warning -s bash -e SC1091,SC2154,SC2015 \
	selftests/*.sh selftests/net/*.sh selftests/qemu/*.sh selftests/qemu/bad/*.sh .ci/run \
	tools/ipsec-token.bash-completion

# -------------------------------------------------------------------- texts
readme() {
	diff <(sed -n '/^```c$/,/^```$/{//!p}' README.md) lib/examples/private.c
}
lint readme-example readme

# Each test that the threat model names has the words it is said to have.
threats() {
	local file words count=0 status=0

	while IFS=$'\t' read -r file words; do
		count=$((count + 1))
		grep -qsF -e "$words" "selftests/$file" && continue
		echo "Documentation/security.md: not in $file: $words"
		status=1
	done < <(awk -F'|' '/^\|/ && NF == 5 {
		n = split($4, part, "[`\"]")
		for (i = 2; i < n; i++) {
			if (part[i] ~ /\.(sh|c)$/)
				file = part[i]
			else if (part[i] !~ /^[:,; ]*$/)
				print file "\t" part[i]
		}
	}' Documentation/security.md)
	[ $count -gt 0 ] || status=1
	return $status
}
lint threats threats

spdx() {
	local file status=0

	while read -r file; do
		[[ $file == LICENSES/* || $file == selftests/fuzz/*/* || $file == debian/* ]] && continue
		head -n 2 "$file" | grep -q SPDX-License-Identifier && continue
		echo "$file: no SPDX line"
		status=1
	done < <(git ls-files -co --exclude-standard 2>/dev/null)
	return $status
}
lint spdx spdx

exit $bad
