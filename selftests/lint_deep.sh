#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What takes minutes of looking at the code, and packages that nothing else
# needs: the kernel's own rules for coccinelle, and clang's analyzer. Called by
# "make lint-deep". The exit status says whether both were content.

set -u

rules=$BUILD/kselftest/scripts/coccinelle
out=$BUILD/lint-deep
bad=0

for program in spatch clang; do
	command -v $program >/dev/null && continue
	echo "$program is missing: apt-get install coccinelle clang" >&2
	exit 1
done
rm -rf "$out"
mkdir -p "$out"

# ---------------------------------------------------------------- coccinelle
# Left out are rules in OCaml, for which coccinelle wants a compiler, and which
# sparse (comparisons with 0 for NULL) and the lack of a driver for a battery make
# needless here.
left_out() {
	grep -q '^@.*script:ocaml\|^@initialize:ocaml' "$1"
}

# rule FILE SOURCE...: what it finds; it also warns of its rules, which are not ours
rule() {
	local file=$1 options

	shift
	read -r -a options < <(sed -n 's,^// Options:,,p' "$file" | head -n 1)
	spatch -D report --very-quiet --no-show-diff "${options[@]}" --cocci-file "$file" "$@" \
		2>"$out/errors" || { echo "$file: spatch:" && cat "$out/errors"; }
}

# What it does not find where it is, it would not find elsewhere either.
cat >"$out/bad.c" <<END
int f(struct s *x)
{
	kfree(x);
	return x->a;
}
END
if ! rule "$rules/free/kfree.cocci" "$out/bad.c" | grep -q 'preceded by free'; then
	echo "lint: coccinelle: does not see what is wrong"
	bad=1
fi

count=0
while read -r file; do
	left_out "$file" && continue
	count=$((count + 1))
	rule "$file" --dir kernel
done < <(find "$rules" -name '*.cocci' | sort) >"$out/coccinelle"
if [ "$count" -lt 60 ] || [ -s "$out/coccinelle" ]; then
	cat "$out/coccinelle"
	echo "lint: coccinelle: FAILED, $count rules"
	bad=1
else
	echo "lint: coccinelle: ok, $count rules"
fi

# --------------------------------------------------------------------- clang
# Known to be none: FILE CHECKER, below why. What is no longer found is a
# mistake in this list.
#
# It looks at one file at a time, and takes it to be possible that a function of
# another file that is given an error to keep returns 0, so that nothing was put
# where a result belongs.
known() {
	cat <<-END
	lib/itoken.c core.CallAndMessage
	lib/token.c core.CallAndMessage
	lib/token.c core.NullDereference
	tools/resolve.c core.CallAndMessage
	END
	# failed() returns what is not 0, which its file alone says.
	echo tools/bind.c core.NonNullParamChecker
	# recvfrom() has filled in the address that is looked at.
	echo tools/monitor.c core.uninitialized.Branch
	echo tools/tokend/xfrm.c core.uninitialized.Branch
	# An array that counts more than 0 is there.
	echo tools/tokend/libreswan_status.c core.NonNullParamChecker
	# name_read() returns NULL, and text_behind() then does, unless it sets the name.
	echo tools/tokend/libreswan_status.c core.CallAndMessage
	# As deep as tail[] is the message was found to be at most, when it was measured.
	echo tools/tokend/vici_message.c core.NullDereference
	# The program ends there.
	echo tools/libexec/updown-libreswan.c unix.Malloc
}

for file in lib/*.c lib/examples/*.c tools/*.c tools/tokend/*.c tools/libexec/*.c; do
	clang --analyze -Xclang -analyzer-output=text -Iinclude -Iinclude/uapi -D_GNU_SOURCE \
		'-DIPSEC_TOKEN_VERSION="lint"' "$file" 2>&1
done >"$out/clang"
found=$(sed -n 's/^\([^:]*\):[0-9]*:[0-9]*: warning: .*\[\(.*\)\]$/\1 \2/p' "$out/clang" | sort -u)
if grep -q ' error: ' "$out/clang" || [ "$found" != "$(known | sort -u)" ]; then
	grep -E ' (warning|error): ' "$out/clang"
	diff <(known | sort -u) <(echo "$found")
	echo "lint: clang: FAILED"
	bad=1
else
	echo "lint: clang: ok"
fi

exit $bad
