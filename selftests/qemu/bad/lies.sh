#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Says that something failed, but exits as if nothing had.
printf '1..1\nnot ok 1 one\n'
