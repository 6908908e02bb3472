# Completion of clinit for fish: in /usr/share/fish/vendor_completions.d, or ~/.config/fish/completions.
# Names of groups, entries and levels are asked of the daemon: `clinit status --names`.

set -g __clinit_verbs @verb-names

# The words before the cursor that are neither options nor their values.
function __clinit_operands
    set -l tokens (commandline -opc)
    set -e tokens[1]
    set -l skip 0
    for token in $tokens
        if test $skip = 1
            set skip 0
        else if contains -- $token @value-options
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
@verbs
