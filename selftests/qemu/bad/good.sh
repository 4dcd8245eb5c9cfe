#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Nothing wrong here: the two results count, a listed skip is no failure.
printf 'KTAP version 1\n1..3\nok 1 one\n'
printf '  KTAP version 1\n  1..1\n  ok 1 inner\nok 2 outer\n'
echo 'ok 3 three # SKIP listed'
