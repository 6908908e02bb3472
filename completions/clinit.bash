# Completion of clinit for bash: in /usr/share/bash-completion/completions, or read with `source`.
# Made by cargo xtask docs: change crates/docs/shells or the registries instead.
# Names of groups, entries and levels are asked of the daemon: `clinit status --names`.

# What stands behind a verb: the kinds of its operands, one word each, and its options.
_clinit_verb() {
    case $1 in
    up) operands=('TABLE') options='' ;;
    daemon) operands=('TABLE') options='--foreground' ;;
    tell) operands=('GROUP' 'LEVEL') options='--wait --timeout' ;;
    status) operands=('GROUP GROUP/TAG TAG') options='--level --clstat --watch --names --json' ;;
    start) operands=('GROUP GROUP/TAG TAG') options='--timeout' ;;
    stop) operands=('GROUP GROUP/TAG TAG') options='--now-only --timeout' ;;
    restart) operands=('GROUP GROUP/TAG TAG') options='--timeout' ;;
    reload) operands=('GROUP GROUP/TAG TAG') options='--timeout' ;;
    reset) operands=('GROUP GROUP/TAG TAG') options='--timeout' ;;
    signal) operands=('GROUP GROUP/TAG TAG' 'SIGNAL') options='' ;;
    run) operands=() options='--group --tag --mode --property --wait --timeout' ;;
    explain) operands=('GROUP GROUP/TAG TAG') options='' ;;
    logs) operands=('GROUP GROUP/TAG TAG') options='-f -n --since --json' ;;
    plan) operands=('TABLE') options='--json' ;;
    events) operands=() options='-f --json' ;;
    check) operands=('TABLE') options='--json' ;;
    shutdown) operands=() options='--now --timeout' ;;
    reexec) operands=() options='--program --timeout' ;;
    help) operands=('VERB PROPERTY modes properties') options='' ;;
    *) operands=() options='' ;;
    esac
}

# The kind of an option's value; fails for an option that has none.
_clinit_value() {
    case $1 in
    -c) printf '%s\n' TABLE ;;
    -s) printf '%s\n' SOCKET ;;
    --timeout) printf '%s\n' SECONDS ;;
    --level) printf '%s\n' LEVEL ;;
    --clstat) printf '%s\n' FILE ;;
    --group) printf '%s\n' GROUP ;;
    --tag) printf '%s\n' TAG ;;
    --mode) printf '%s\n' MODE ;;
    --property) printf '%s\n' NAME=VALUE ;;
    -n) printf '%s\n' N ;;
    --since) printf '%s\n' T ;;
    --program) printf '%s\n' FILE ;;
    *) return 1 ;;
    esac
}

# KIND [GROUP]: the names of this kind that the daemon knows. They are never evaluated, only compared.
_clinit_names() {
    local what first second
    while read -r what first second; do
        case $1:$what in
        GROUP:group | GROUP/TAG:entry) printf '%s\n' "$first" ;;
        TAG:entry) printf '%s\n' "${first#*/}" ;;
        LEVEL:level) if [[ -z $2 || $first == "$2" ]]; then printf '%s\n' "$second"; fi ;;
        esac
    done < <("$program" "${place[@]}" status --names 2>/dev/null </dev/null)
}

# KIND [GROUP]: all words of this kind.
_clinit_words() {
    case $1 in
    GROUP | GROUP/TAG | TAG | LEVEL) _clinit_names "$@" ;;
    VERB) printf '%s\n' up daemon tell status start stop restart reload reset signal run explain logs plan events check shutdown reexec help ;;
    PROPERTY) printf '%s\n' socket socket_mode clstat initstat log remember remember_file exit_with shutdown_timeout log_folder initdefault stop_signal stop_timeout kill_mode throttle_starts throttle_interval throttle_pause cgroup run_user run_group directory umask environment environment_file limit_nofile limit_nproc limit_core limit_as limit_data limit_stack limit_cpu limit_fsize limit_memlock limit_rss limit_sigpending limit_msgqueue limit_nice limit_rtprio nice oom_score_adj no_new_privs capabilities memory_max cpu_max pids_max readiness start_timeout watchdog listen listen_mode health_check health_interval health_timeout health_threshold restart restart_delay restart_delay_max retry_count retry_interval failover_mode success_exit_status stop_command reload_command reload_signal reload_timeout on_failure after requires output log_size log_count log_stamp log_full log_hold ;;
    SIGNAL) printf '%s\n' HUP INT QUIT ILL TRAP ABRT IOT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CLD CONT STOP TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO POLL PWR SYS ;;
    TABLE | FILE | SOCKET) compgen -f -- "$cur" ;;
    *[[:lower:]]*) printf '%s\n' "$1" ;;
    esac
}

_clinit() {
    local program=$1 cur=${COMP_WORDS[COMP_CWORD]} verb='' group='' given=0 kind='' options=''
    local kinds='' word path quoted i
    local -a place=() operands=()
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if kind=$(_clinit_value "$word"); then
            ((i++))
            # --timeout=3 are three words to bash.
            [[ ${COMP_WORDS[i]} == '=' ]] && ((i++))
            ((i < COMP_CWORD)) || break
            path=${COMP_WORDS[i]}
            [[ $word == -[cs] ]] && place+=("$word" "${path/#\~\//$HOME/}")
        elif [[ $word != -* ]]; then
            if ((given == 0)) && [[ -z $verb && " up daemon tell status start stop restart reload reset signal run explain logs plan events check shutdown reexec help " == *" $word "* ]]; then
                verb=$word
                _clinit_verb "$verb"
            else
                ((given++)) || group=$word
            fi
        fi
        kind=''
    done
    if [[ -n $kind ]]; then
        kinds=$kind
        # The level of an option is any group's.
        group=''
    elif [[ $cur == -* ]]; then
        [[ -n $verb ]] || options='-d -k -v'
        kinds="$options -c -s --help"
    elif [[ -n $verb ]]; then
        kinds=${operands[given]}
    elif ((given == 0)); then
        kinds='VERB GROUP'
    elif ((given == 1)); then
        kinds=LEVEL
    fi
    for kind in $kinds; do
        while IFS= read -r word; do
            if [[ $word == "$cur"* ]]; then
                if [[ $kind == @(TABLE|FILE|SOCKET) ]]; then
                    quoted=$word
                else
                    printf -v quoted %q "$word"
                fi
                COMPREPLY+=("$quoted")
            fi
        done < <(if [[ $kind == -* ]]; then printf '%s\n' "$kind"; else _clinit_words "$kind" "$group"; fi)
    done
    # Process substitutions are other shells: what they set is not seen here.
    [[ $kinds == @(TABLE|FILE|SOCKET) ]] && compopt -o filenames 2>/dev/null
    return 0
}

complete -F _clinit clinit
