#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Clang's analyzer, on what runs in user space, but for the tests. Called by lint.sh:
# the exit status says whether exactly that was found which is known to be none.

set -u

export out=$BUILD/lint/analysis

# FILE CHECKER, below the reason. What is no longer found is a mistake in this list.
known() {
	# It looks at one file at a time, and takes it to be possible that a function of
	# another file that is given an error to keep returns 0, so that nothing was put
	# where a result belongs.
	echo lib/token.c core.CallAndMessage
	echo lib/token.c core.NullDereference
	echo tools/resolve.c core.CallAndMessage
	# failed() and usage() return what is not 0, which their file alone says.
	echo tools/bind.c core.NonNullParamChecker
	echo tools/gate.c core.NullDereference
	# The system has filled in the address that is looked at.
	echo tools/gate.c core.UndefinedBinaryOperatorResult
	echo tools/monitor.c core.uninitialized.Branch
	echo tools/tokend/kernel.c core.uninitialized.Branch
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

# analyze FILE: what it finds, by which way through the code
analyze() {
	clang --analyze -Xclang -analyzer-output=text -Iinclude -Iinclude/uapi -D_GNU_SOURCE \
		'-DIPSEC_TOKEN_VERSION="lint"' "$1" >"$out/${1//\//-}" 2>&1
}
export -f analyze

mkdir -p "$out"
printf '%s\n' lib/*.c lib/examples/*.c tools/*.c tools/tokend/*.c tools/libexec/*.c |
	xargs -P "$(nproc)" -I{} bash -c 'analyze {}'
cat "$out"/*
found=$(sed -n 's/^\([^:]*\):[0-9]*:[0-9]*: warning: .*\[\(.*\)\]$/\1 \2/p' "$out"/* | sort -u)
! grep -q ' error: ' "$out"/* && diff <(known | sort -u) - <<<"$found"
