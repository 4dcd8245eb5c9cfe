#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# To whom a token means something: helpers/process_scope.c takes tokens on two
# hosts and tries them in every other process and namespace.

# shellcheck source=lib.sh
. selftests/lib.sh

net_up
$IP netns add other
ipsec_up esp-gcm 4
exec "$HELPERS/process_scope"
