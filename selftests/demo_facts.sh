#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What "make demo" says is true.

# shellcheck source=lib.sh
. selftests/lib.sh

plan 1
check "make demo" selftests/demo.sh
finish
