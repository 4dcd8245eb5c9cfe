#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Tests of TLS in the kernel, of which there are hundreds; see net/lib.sh.

# shellcheck source=lib.sh
. selftests/net/lib.sh

UDP=no net_tests 2400 ./tls
