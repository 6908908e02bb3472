# Completion of clinit for bash: in /usr/share/bash-completion/completions, or read with `source`.
# Names of groups, entries and levels are asked of the daemon: `clinit status --names`.

# What stands behind a verb: the kinds of its operands, one word each, and its options.
_clinit_verb() {
    case $1 in
@verbs
    *) operands=() options='' ;;
    esac
}

# The kind of an option's value; fails for an option that has none.
_clinit_value() {
    case $1 in
@values
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
    VERB) printf '%s\n' @verb-names ;;
    PROPERTY) printf '%s\n' @property-names ;;
    SIGNAL) printf '%s\n' @signal-names ;;
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
            if ((given == 0)) && [[ -z $verb && " "@verb-list" " == *" $word "* ]]; then
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
