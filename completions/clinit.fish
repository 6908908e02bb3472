# Completion of clinit for fish: in /usr/share/fish/vendor_completions.d, or ~/.config/fish/completions.
# Made by cargo xtask docs: change crates/docs/shells or the registries instead.
# Names of groups, entries and levels are asked of the daemon: `clinit status --names`.

set -g __clinit_verbs up daemon tell status start stop restart reload reset signal run explain logs plan events check shutdown reexec help

# The words before the cursor that are neither options nor their values.
function __clinit_operands
    set -l tokens (commandline -opc)
    set -e tokens[1]
    set -l skip 0
    for token in $tokens
        if test $skip = 1
            set skip 0
        else if contains -- $token -c -s --timeout --level --clstat --group --tag --mode --property -n --since --program
            set skip 1
        else if not string match -q -- '-*' $token
            printf '%s\n' $token
        end
    end
end

# The words that say where the daemon is.
function __clinit_place
    set -l tokens (commandline -opc)
    set -l take 0
    for token in $tokens[2..]
        if test $take = 1
            printf '%s\n' (string replace -r '^~/' $HOME/ -- $token)
            set take 0
        else if contains -- $token -c -s
            printf '%s\n' $token
            set take 1
        end
    end
end

# KIND [GROUP]: the names of this kind that the daemon knows.
function __clinit_names
    set -l program (commandline -opc)[1]
    for line in ($program (__clinit_place) status --names 2>/dev/null </dev/null)
        set -l words (string split ' ' -- $line)
        switch "$argv[1]:$words[1]"
            case GROUP:group GROUP/TAG:entry
                printf '%s\n' $words[2]
            case TAG:entry
                string replace -r '^[^/]*/' '' -- $words[2]
            case LEVEL:level
                if test (count $argv) -lt 2; or test "$words[2]" = "$argv[2]"
                    printf '%s\n' $words[3]
                end
        end
    end
end

# VERB: whether this is the verb.
function __clinit_is
    set -l operands (__clinit_operands)
    test "$operands[1]" = "$argv[1]"
end

# VERB COUNT: whether so many operands stand behind this verb.
function __clinit_at
    set -l operands (__clinit_operands)
    test (count $operands) = (math $argv[2] + 1); and test "$operands[1]" = "$argv[1]"
end

# COUNT: whether there are so many words, and no verb.
function __clinit_without_verb
    set -l operands (__clinit_operands)
    test (count $operands) = $argv[1]; and not contains -- "$operands[1]" $__clinit_verbs
end

complete -c clinit -f
complete -c clinit -s c -r -F -d 'the table'
complete -c clinit -s s -r -F -d 'the socket of the daemon'
complete -c clinit -l help -d 'help; behind a verb, of the verb'
complete -c clinit -n '__clinit_without_verb 0' -s d -d 'be the daemon'
complete -c clinit -n '__clinit_without_verb 0' -s k -d 'shut the daemon down'
complete -c clinit -n '__clinit_without_verb 0' -a '(__clinit_names GROUP)' -d group
complete -c clinit -n '__clinit_without_verb 1' -a '(__clinit_names LEVEL (__clinit_operands)[1])' -d level
complete -c clinit -n '__clinit_without_verb 0' -a up -d 'run a table in the foreground, on a socket of its own, until Ctrl-C'
complete -c clinit -n '__clinit_at up 0' -F
complete -c clinit -n '__clinit_without_verb 0' -a daemon -d 'start a daemon in the background that keeps what entries print, and wait until it answers'
complete -c clinit -n '__clinit_at daemon 0' -F
complete -c clinit -n '__clinit_is daemon' -l foreground -d 'be the daemon, and stay in the foreground'
complete -c clinit -n '__clinit_without_verb 0' -a tell -d 'reread the table and give a group a level'
complete -c clinit -n '__clinit_at tell 0' -a '(__clinit_names GROUP)'
complete -c clinit -n '__clinit_at tell 1' -a '(__clinit_names LEVEL (__clinit_operands)[2])'
complete -c clinit -n '__clinit_is tell' -l wait -d 'return when the group has the level; exit code 1 if it FAILED'
complete -c clinit -n '__clinit_is tell' -l timeout -x -d 'give up waiting after this time, with exit code 4'
complete -c clinit -n '__clinit_without_verb 0' -a status -d 'show groups and entries: state, pid, since when, restarts, last exit and why'
complete -c clinit -n '__clinit_at status 0' -a '(__clinit_names GROUP)'
complete -c clinit -n '__clinit_at status 0' -a '(__clinit_names GROUP/TAG)'
complete -c clinit -n '__clinit_at status 0' -a '(__clinit_names TAG)'
complete -c clinit -n '__clinit_is status' -l level -x -a '(__clinit_names LEVEL)' -d 'only groups that have this level'
complete -c clinit -n '__clinit_is status' -l clstat -r -F -d 'read a status file, of this or another machine; no daemon is asked'
complete -c clinit -n '__clinit_is status' -l watch -d 'show it again every second, until Ctrl-C'
complete -c clinit -n '__clinit_is status' -l names -d 'only what there is, for scripts: lines `group GROUP`, `level GROUP LEVEL`, `entry GROUP/TAG`'
complete -c clinit -n '__clinit_is status' -l json -d 'print JSON for programs'
complete -c clinit -n '__clinit_without_verb 0' -a start -d 'start entries that their group’s level has: what was stopped by hand, pauses, or ran once'
complete -c clinit -n '__clinit_at start 0' -a '(__clinit_names GROUP)'
complete -c clinit -n '__clinit_at start 0' -a '(__clinit_names GROUP/TAG)'
complete -c clinit -n '__clinit_at start 0' -a '(__clinit_names TAG)'
complete -c clinit -n '__clinit_is start' -l timeout -x -d 'give up waiting after this time, with exit code 4'
complete -c clinit -n '__clinit_without_verb 0' -a stop -d 'stop entries; they stay down over rereads until start or reset'
complete -c clinit -n '__clinit_at stop 0' -a '(__clinit_names GROUP)'
complete -c clinit -n '__clinit_at stop 0' -a '(__clinit_names GROUP/TAG)'
complete -c clinit -n '__clinit_at stop 0' -a '(__clinit_names TAG)'
complete -c clinit -n '__clinit_is stop' -l now-only -d 'only until the group is told a level again'
complete -c clinit -n '__clinit_is stop' -l timeout -x -d 'give up waiting after this time, with exit code 4'
complete -c clinit -n '__clinit_without_verb 0' -a restart -d 'stop entries that run, and what requires them, then start them all'
complete -c clinit -n '__clinit_at restart 0' -a '(__clinit_names GROUP)'
complete -c clinit -n '__clinit_at restart 0' -a '(__clinit_names GROUP/TAG)'
complete -c clinit -n '__clinit_at restart 0' -a '(__clinit_names TAG)'
complete -c clinit -n '__clinit_is restart' -l timeout -x -d 'give up waiting after this time, with exit code 4'
complete -c clinit -n '__clinit_without_verb 0' -a reload -d 'have entries read their configuration again, by their reload_command or reload_signal'
complete -c clinit -n '__clinit_at reload 0' -a '(__clinit_names GROUP)'
complete -c clinit -n '__clinit_at reload 0' -a '(__clinit_names GROUP/TAG)'
complete -c clinit -n '__clinit_at reload 0' -a '(__clinit_names TAG)'
complete -c clinit -n '__clinit_is reload' -l timeout -x -d 'give up waiting after this time, with exit code 4'
complete -c clinit -n '__clinit_without_verb 0' -a reset -d 'forget that entries were stopped by hand or started too often, and start what is wanted'
complete -c clinit -n '__clinit_at reset 0' -a '(__clinit_names GROUP)'
complete -c clinit -n '__clinit_at reset 0' -a '(__clinit_names GROUP/TAG)'
complete -c clinit -n '__clinit_at reset 0' -a '(__clinit_names TAG)'
complete -c clinit -n '__clinit_is reset' -l timeout -x -d 'give up waiting after this time, with exit code 4'
complete -c clinit -n '__clinit_without_verb 0' -a signal -d 'send a signal to the main process of entries'
complete -c clinit -n '__clinit_at signal 0' -a '(__clinit_names GROUP)'
complete -c clinit -n '__clinit_at signal 0' -a '(__clinit_names GROUP/TAG)'
complete -c clinit -n '__clinit_at signal 0' -a '(__clinit_names TAG)'
complete -c clinit -n '__clinit_at signal 1' -a 'HUP INT QUIT ILL TRAP ABRT IOT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CLD CONT STOP TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO POLL PWR SYS'
complete -c clinit -n '__clinit_without_verb 0' -a run -d 'run a command as an entry that no table has'
complete -c clinit -n '__clinit_is run' -l group -x -a '(__clinit_names GROUP)' -d 'the group that it is in (default run)'
complete -c clinit -n '__clinit_is run' -l tag -x -d 'its name (default that of the program, with a number if that is taken)'
complete -c clinit -n '__clinit_is run' -l mode -x -d 'once, respawn or test (default once)'
complete -c clinit -n '__clinit_is run' -l property -x -d 'a property, as in the table; as often as you like'
complete -c clinit -n '__clinit_is run' -l wait -d 'return when it has ended, with its exit code'
complete -c clinit -n '__clinit_is run' -l timeout -x -d 'give up waiting after this time, with exit code 4'
complete -c clinit -n '__clinit_without_verb 0' -a explain -d 'say why a group or entry is as it is, what happens next, and what to do'
complete -c clinit -n '__clinit_at explain 0' -a '(__clinit_names GROUP)'
complete -c clinit -n '__clinit_at explain 0' -a '(__clinit_names GROUP/TAG)'
complete -c clinit -n '__clinit_at explain 0' -a '(__clinit_names TAG)'
complete -c clinit -n '__clinit_without_verb 0' -a logs -d 'show what entries have printed, as far as it is kept, in the order of time'
complete -c clinit -n '__clinit_at logs 0' -a '(__clinit_names GROUP)'
complete -c clinit -n '__clinit_at logs 0' -a '(__clinit_names GROUP/TAG)'
complete -c clinit -n '__clinit_at logs 0' -a '(__clinit_names TAG)'
complete -c clinit -n '__clinit_is logs' -s f -d 'go on with what they print, until Ctrl-C; first the last 10 lines'
complete -c clinit -n '__clinit_is logs' -s n -x -d 'only the last N lines'
complete -c clinit -n '__clinit_is logs' -l since -x -d 'only what was printed since: 10m, 2h or 1d ago, or a date, or date and time'
complete -c clinit -n '__clinit_is logs' -l json -d 'print JSON for programs'
complete -c clinit -n '__clinit_without_verb 0' -a plan -d 'show what a reread would start, stop and restart, and why; changes nothing'
complete -c clinit -n '__clinit_at plan 0' -F
complete -c clinit -n '__clinit_is plan' -l json -d 'print JSON for programs'
complete -c clinit -n '__clinit_without_verb 0' -a events -d 'show what happened lately, and with -f what happens'
complete -c clinit -n '__clinit_is events' -s f -d 'go on until Ctrl-C'
complete -c clinit -n '__clinit_is events' -l json -d 'print JSON for programs'
complete -c clinit -n '__clinit_without_verb 0' -a check -d 'find all faults of a table, and what is doubtful in it'
complete -c clinit -n '__clinit_at check 0' -F
complete -c clinit -n '__clinit_is check' -l json -d 'print JSON for programs'
complete -c clinit -n '__clinit_without_verb 0' -a shutdown -d 'stop all groups, end the daemon, and wait until it is gone'
complete -c clinit -n '__clinit_is shutdown' -l now -d 'kill at once what otherwise has its stop_timeout'
complete -c clinit -n '__clinit_is shutdown' -l timeout -x -d 'give up waiting after this time, with exit code 4'
complete -c clinit -n '__clinit_without_verb 0' -a reexec -d 'replace the daemon’s program, after a trial on its state; no service is touched'
complete -c clinit -n '__clinit_is reexec' -l program -r -F -d 'the new program (default the file at the path that the daemon was started from)'
complete -c clinit -n '__clinit_is reexec' -l timeout -x -d 'how long it may take to show that it can go on with the state (10)'
complete -c clinit -n '__clinit_without_verb 0' -a help -d 'explain a verb, a property, the modes, or list the properties'
complete -c clinit -n '__clinit_at help 0' -a 'up daemon tell status start stop restart reload reset signal run explain logs plan events check shutdown reexec help'
complete -c clinit -n '__clinit_at help 0' -a 'socket socket_mode clstat initstat log remember remember_file exit_with shutdown_timeout log_folder initdefault stop_signal stop_timeout kill_mode throttle_starts throttle_interval throttle_pause cgroup run_user run_group directory umask environment environment_file limit_nofile limit_nproc limit_core limit_as limit_data limit_stack limit_cpu limit_fsize limit_memlock limit_rss limit_sigpending limit_msgqueue limit_nice limit_rtprio nice oom_score_adj no_new_privs capabilities memory_max cpu_max pids_max readiness start_timeout watchdog listen listen_mode health_check health_interval health_timeout health_threshold restart restart_delay restart_delay_max retry_count retry_interval failover_mode success_exit_status stop_command reload_command reload_signal reload_timeout on_failure after requires output log_size log_count log_stamp log_full log_hold'
complete -c clinit -n '__clinit_at help 0' -a 'modes'
complete -c clinit -n '__clinit_at help 0' -a 'properties'
