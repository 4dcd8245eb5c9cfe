#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Requests to the netlink family, as its specification has it, and socket
# options, at random, for DURATION seconds (fuzz/kernel). What goes wrong mostly
# shows in the kernel's log. SEED= makes the threads do the same again.

# shellcheck source=lib.sh
. selftests/lib.sh

DURATION=${DURATION:-600}
SEED=${SEED:-$SRANDOM}
SPEC=Documentation/netlink/specs/ipsec_token.yaml

# The operations that can be asked for, by another reader than the fuzzer's.
operations() {
	awk '/^operations:/ { on = 1 } /^mcast-groups:/ { on = 0 }
		on && /^      name: / { name = $2 }
		on && /^      (do|dump):/ { print name }' $SPEC | sort -u
}

# count NAME [FIELD]: as the fuzzer has printed it
count() {
	awk -v name="$1" -v field="${2:-2}" '$1 == name { print $field }' <<<"$counts"
}

mapfile -t ops < <(operations)
plan $((2 * ${#ops[@]} + 9))
diag "seed $SEED"
net_up
ipsec_up esp-gcm 4
ipsec_up tunnel 6 spi=0x2000
insmod "$MODULE" || exit
modprobe_off
patient_kernel

counts=$("$BUILD/selftests/fuzz/kernel" $SPEC "$MODULE" "$DURATION" "$SEED")
is $? 0 "it came to its end"
diag "$counts"
for op in "${ops[@]}"; do
	check "$op: accepted" [ "$(count "$op")" -gt 0 ]
	check "$op: refused" [ "$(count "$op" 3)" -gt 0 ]
done
for what in wild unloads news SA-changes option-values option-errors; do
	check "$what" [ "$(count $what)" -gt 0 ]
done
is "$(count problems)" 0 "nothing was answered otherwise than it should be"
# what was required of a control group is looked for now and then
for ((i = 0; i < 300; i++)); do
	! rmmod ipsec_token 2>/dev/null || break
	sleep 0.1
done
refused "the module is gone" [ -d /sys/module/ipsec_token ]
finish
