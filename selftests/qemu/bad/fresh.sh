#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
printf '1..2\n'
[ ! -e /run/netns/leftover ] && echo 'ok 1 no network namespace left'
pgrep sleep >/dev/null || echo 'ok 2 no process left'
