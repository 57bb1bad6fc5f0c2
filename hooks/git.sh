#!/bin/sh
# git-hook HOOK ARGUMENT...: what git did, as a payload for the ledger; run by the shims among git's hooks.
#
# It lies in the ledger's folder, and ends with 0 whatever happens: no commit and no push may fail for it. The payload,
# as recording/payloads/git.py reads it: lines `name value`, where a line that begins with a blank goes on with the
# value before it; then an empty line, and what git gave the hook to read. Of the environment it tells nothing but
# which session runs git.
#
# For prepare-commit-msg it spools nothing: it writes the trailer that names the session, where an agent's session
# runs git. The framework pre-commit runs it for that from a clone of this repository.
exec >/dev/null 2>&1
hook=${1-}
[ "$#" = 0 ] || shift
set +aCefuvx
umask 077
LC_ALL=C
nl='
'
IFS=" 	$nl"
set -f

# Sets `chain`, the processes around this one as `pid:started`, the nearest first; and `runner`, the git among them.
find_ancestors() {
	chain='' runner='' pid=$PPID
	while [ "${pid:-0}" -gt 1 ] && [ -r "/proc/$pid/stat" ]; do
		stat=''
		# A process may call itself anything, with line ends too; after the last bracket there are numbers alone.
		while read -r line || [ -n "$line" ]; do stat=$stat$line; done <"/proc/$pid/stat"
		set -- ${stat##*") "}
		[ -n "$runner" ] || case $stat in "$pid (git) "*) runner=$pid:${20} ;; esac
		chain="$chain $pid:${20}"
		pid=$2
	done
}

# Sets `session`: the one that LEDGER_SESSION names, else the one that the nearest process around has claimed.
find_session() {
	session=''
	case ${LEDGER_SESSION-} in
	*[!0-9a-f-]*) ;;
	????????-????-????-????-????????????) session=$LEDGER_SESSION && return ;;
	esac
	find_ancestors
	claims=''
	set +f
	for file in "$1"/live/*-*-*-*-*; do
		read -r line <"$file" || continue
		owner=${line#*'"pid": '} started=${line#*'"started": "'}
		claims="$claims ${owner%%,*}:${started%%\"*}=${file##*/}"
	done
	set -f
	for one in $chain; do
		case $claims in
		*" $one="*) session=${claims#*" $one="} session=${session%% *} && return ;;
		esac
	done
}

link() {
	# A message that is still to be written gets no trailer: left empty, it must go on stopping the commit.
	case ${LEDGER_OFF:-0}${2-} in 0message | 0merge | 0squash | 0commit) ;; *) return ;; esac
	find_session "$(git rev-parse --git-common-dir)/ledger"
	# "=" separates, whatever trailer.separators says.
	[ -z "$session" ] ||
		git interpret-trailers --in-place --if-exists doNothing --trailer "Ledger-Session=$session" "$1"
}

put() {
	name=$1 value=$2
	while :; do
		case $value in *"$nl"*) ;; *) break ;; esac
		payload="$payload$name ${value%%"$nl"*}$nl" name='' value=${value#*"$nl"}
	done
	payload="$payload$name $value$nl"
}

put_environment() {
	[ -z "${LEDGER_SESSION-}" ] || put session "$LEDGER_SESSION"
	[ -z "${LEDGER_AGENT-}" ] || [ -z "${LEDGER_AGENT_SESSION-}" ] || put agent "$LEDGER_AGENT $LEDGER_AGENT_SESSION"
	[ -z "${CODEX_SESSION_ID-}" ] || put agent "codex $CODEX_SESSION_ID"
}

# Sets `head` and `branch`. A process of git's costs 3 ms, and what it would say mostly stands in two files.
find_head() {
	head='' branch='' ref=''
	read -r head <"${GIT_DIR:-.git}/HEAD"
	case $head in
	"ref: refs/heads/"*)
		ref=${head#ref: }
		read -r head <"${0%/*}/../$ref"
		;;
	esac
	case $head in
	'' | *[!0-9a-f]*)
		head=$(git rev-parse --verify --quiet HEAD)
		ref=$(git symbolic-ref --quiet HEAD)
		;;
	esac
	case $ref in refs/heads/*) branch=${ref#refs/heads/} ;; esac
}

# No variable by which git finds its repository outlives this, nor any other of git's.
forget_git() {
	IFS=$nl
	for line in $(set); do
		name=${line%%=*}
		case $name in *[!A-Z0-9_]*) ;; GIT_*) unset "$name" ;; esac
	done
	IFS=" 	$nl"
}

collect() {
	put git 1
	put hook "$hook"
	put cwd "$PWD"
	for argument; do put argument "$argument"; done
	case $hook in
	post-commit | post-merge | post-checkout)
		find_head
		[ -z "$head" ] || put head "$head"
		[ -z "$branch" ] || put branch "$branch"
		;;
	esac
	forget_git
	put_environment
	find_ancestors
	[ -z "$runner" ] || put runner "$runner"
	for one in $chain; do put process "$one"; done
}

tell() {
	payload=''
	case ${LEDGER_OFF:-0} in 0) collect "$@" ;; esac
	"${0%/*}/hook" git "$hook" <<END
$payload
$given
END
}

given=''
case $hook in
prepare-commit-msg) link "${1-}" "${2-${PRE_COMMIT_COMMIT_MSG_SOURCE-}}" ;;
# Files that are checked out by name leave branch and commit where they are.
post-checkout) [ "${3-}" != 1 ] || tell "$@" ;;
post-commit | post-merge) tell "$@" ;;
post-rewrite | pre-push) given=$(cat) && tell "$@" ;;
esac
exit 0
