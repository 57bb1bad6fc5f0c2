#!/bin/sh
# hook AGENT EVENT <PAYLOAD: keeps what an agent or git tells, and is gone.
#
# It ends with 0 and prints nothing but what an agent is answered, whatever happens: nobody waits for the ledger, and
# nobody is broken by it. What is in spool/new is whole, synced and stays. Each process costs a millisecond, so the
# shell does what it can itself; docs/design/recorder.md has the reasons and the figures.
ledger=@LEDGER@
python=@PYTHON@
package=@PACKAGE@
dd=@DD@
mv=@MV@
sync=@SYNC@

set +aCefuvx # bash takes options from its environment
[ -w /dev/null ] && exec 2>/dev/null
# An agent that waits no longer sends a signal: it must not stop a payload halfway.
trap '' HUP INT QUIT PIPE TERM
umask 077
LC_ALL=C
IFS=' '
PATH=$PATH:/usr/bin:/bin
agent=$1
event=$2

# What is not kept is read all the same: an agent must not find its pipe broken.
pass_over() {
    cat >/dev/null
    exit 0
}

count() {
    printf '%s' "$1" >>"$ledger/spool/fired/$agent~$event"
}

# Sets `name`, which no other payload has ever had.
choose_name() {
    read -r id </proc/sys/kernel/random/uuid || {
        set -- $(od -An -N16 -tx1 /dev/urandom)
        IFS=''
        id=$*
    }
    name=$agent~$event~$PPID~$id
}

# Makes what is on standard input safe in `new`. `came` tells how far that went: a payload can be read only once.
keep() {
    came=no
    draft=$ledger/spool/tmp/$name
    # A full disk shows here, while nothing has been read yet.
    [ -d "$ledger/spool/new" ] && [ -x "$dd" ] && printf '%8192s' '' >"$draft" || return
    came=partly
    LC_ALL=C "$dd" of="$draft" bs=64k conv=fsync || return
    came=whole
    [ -s "$draft" ] || return # nothing was said
    LC_ALL=C "$mv" "$draft" "$ledger/spool/new/$name" && LC_ALL=C "$sync" "$ledger/spool/new"
}

# What the shell cannot do: keep a payload elsewhere, make folders anew, sync without a program for it.
keep_by_python() {
    [ -x "$python" ] && "$python" -I -S "$package/hooks/record.py" "$ledger" "$agent" "$event" "$PPID" $uncounted
}

keep_all_the_same() {
    case $came in
    no) keep_by_python ;;
    whole) [ -s "$draft" ] && keep_by_python <"$draft" ;;
    *) false ;;
    esac
    kept=$?
    # A whole payload that nothing could be done about stays, for people to find.
    [ "$kept" != 0 ] && [ "$came" = whole ] && [ -s "$draft" ] || rm -f "$draft"
    return "$kept"
}

# A number alone may be another process's by now.
is_draining() {
    read -r pid <"$ledger/spool/draining"
    case $pid in '' | 0* | *[!0-9]*) return 1 ;; esac
    kill -0 "$pid" || return
    words=''
    read -r words <"/proc/$pid/cmdline"
    case $words in '' | *hook*) ;; *) return 1 ;; esac
}

drain() {
    is_draining || [ ! -x "$python" ] || [ ! -w "$ledger/spool/new" ] && return
    (
        trap - HUP INT QUIT PIPE TERM
        exec "$python" -I "$package/hooks/drain.py" "$ledger"
    ) </dev/null >/dev/null 2>&1 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&- &
    # Told here and not there, or every hook until Python is up would start one more.
    printf '%s\n' "$!" >"$ledger/spool/draining"
}

# Whether nobody holds a lease, as far as was noted for the commit at which main stands; see hooks/ahead.py.
is_unleased() {
    seen=''
    main=''
    read -r seen <"$ledger/told/no-leases"
    read -r main <"$ledger/ledger.git/refs/heads/main"
    [ -n "$seen" ] && [ "$seen" = "$main" ]
}

has_nothing_to_say() {
    case $agent~$event in
    @LEASES@) is_unleased ;;
    *) false ;;
    esac
}

[ -n "$agent" ] && [ -n "$event" ] && [ ${#agent} -le 40 ] && [ ${#event} -le 40 ] || pass_over
case $agent$event in *[!A-Za-z0-9_-]*) pass_over ;; esac
# A project that was moved has taken its ledger along.
[ -d "$ledger/journal" ] || case $0 in /*) ledger=${0%/*} ;; */*) ledger=$PWD/${0%/*} ;; esac
[ -d "$ledger/journal" ] || pass_over

case ${LEDGER_OFF:-0} in 0) ;; *)
    count o
    pass_over
    ;;
esac
if [ -e "$ledger/off" ] && { [ -e "$ledger/off/hooks" ] || [ -e "$ledger/off/all" ] || [ -f "$ledger/off" ]; }; then
    count p
    pass_over
fi

printf '' >"$ledger/live/.beat/$PPID"
case $agent~$event in
@ANSWERED@)
    if [ -x "$python" ] && ! has_nothing_to_say; then
        "$python" -I "$package/hooks/answer.py" "$ledger" "$agent" "$event" "$PPID"
        # 142: it ran out of time (SIGALRM), which it starts to count once the payload is safe.
        case $? in 0 | 142)
            drain
            exit 0
            ;;
        esac
    fi
    ;;
esac

uncounted=''
count x || uncounted=uncounted
choose_name
if keep || keep_all_the_same; then
    drain
fi
exit 0
