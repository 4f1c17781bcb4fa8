# Completion of ariba for Bash: eval "$(ariba completion bash)"

_ariba_completion() {
    local line=${COMP_LINE:0:COMP_POINT} found start value word
    COMPREPLY=()
    # The word at the cursor. Bash takes what stands before its last colon or = for other
    # words, which are there already.
    word=${line##*[[:space:]]}
    start=${word##*=}
    start=${start%"${start##*:}"}
    while IFS= read -r value; do
        [ -n "$value" ] || continue
        value=${value#"$start"}
        case $word in
            [\"\']*) ;;
            # What means something to the shell, as > does.
            *) printf -v value %q "$value" ;;
        esac
        COMPREPLY+=("$value")
    done < <(_ARIBA_COMPLETE=complete_bash _ARIBA_COMPLETE_LINE=$line "$1" 2>/dev/null </dev/null)
    case ${COMPREPLY[0]} in
        # A number follows.
        *[=:\<]) [ ${#COMPREPLY[@]} -gt 1 ] || compopt -o nospace 2>/dev/null ;;
    esac
}

# Without anything to offer, files and directories are.
complete -o default -F _ariba_completion ariba
