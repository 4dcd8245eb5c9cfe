#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
printf '1..2\nok 1 one\nnot ok 2 two\n'
exit 1
