# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# Applications on both hosts that keep their sockets while a test changes what
# is around them: one process, helpers/peers.c. Source it after lib.sh.

# The variables set here are for the scripts that source this file.
# shellcheck disable=SC2034
shopt -s extglob

peers_start() {
	coproc PEERS { exec "$HELPERS/peers"; }
	# Subshells get the copies only.
	exec {to}>&"${PEERS[1]}" {from}<&"${PEERS[0]}"
	peers=$PEERS_PID
}

# peers_kill: it gets no chance to close anything
peers_kill() {
	exec {to}>&- {from}<&-
	kill -KILL "$peers"
	wait "$peers" 2>/dev/null
}

# ask COMMANDS: sets $answer to that of the process. No subshell: forking takes
# longer than asking.
ask() {
	echo "$*" >&"$to"
	read -r -t 60 -u "$from" answer || answer="no answer"
}

# tell COMMANDS: they must succeed
tell() {
	ask "$@"
	[ -z "${answer//@(ok|, )/}" ] || { not_ok "$*"; diag "$answer"; }
}

# says COMMANDS WANTED TEXT: a test of its own
says() {
	ask "$1"
	is "$answer" "$2" "$3"
}
