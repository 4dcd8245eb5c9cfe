#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
printf '1..3\nok 1 one\n'
