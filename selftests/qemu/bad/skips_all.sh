#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
echo '1..0 # SKIP nothing to do'
exit 4
