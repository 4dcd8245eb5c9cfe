#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The kernel's own rules for coccinelle, on the module. Called by lint.sh: the exit
# status says whether nothing was found.

set -u

rules=$BUILD/kselftest/scripts/coccinelle
out=$BUILD/lint/rules

mkdir -p "$out"

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
	echo "it does not see what is wrong"
	exit 1
fi

count=0
while read -r file; do
	left_out "$file" && continue
	count=$((count + 1))
	rule "$file" --dir kernel
done < <(find "$rules" -name '*.cocci' | sort) >"$out/found"
cat "$out/found"
echo "$count rules"
[ "$count" -ge 60 ] && [ ! -s "$out/found" ]
