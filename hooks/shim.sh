#!/bin/sh
# context-ledger shim @DIGEST@
# Tells this project's ledger, where there is one, what git did. `ledger hooks uninstall git` takes it out again.
hook=@HOOK@ code=0 given=
case $hook in pre-push | post-rewrite) given=$(cat; echo .) given=${given%.} ;; esac
kept=${0%/*}/$hook.before-ledger
# A probe tries the way to the ledger, and nothing that somebody else does here.
if [ -x "$kept" ] && [ -z "${LEDGER_PROBE-}" ]; then
	printf %s "$given" | "$kept" "$@" || code=$?
	case $hook$code in pre*[!0]* | pre*[1-9]*) exit "$code" ;; esac
fi
ledger=${GIT_DIR:-.git}/ledger/git-hook
[ -x "$ledger" ] || ledger=$(git rev-parse --git-common-dir 2>/dev/null || :)/ledger/git-hook
{ [ ! -x "$ledger" ] || printf %s "$given" | "$ledger" "$hook" "$@"; } >/dev/null 2>&1 || :
exit "$code"
