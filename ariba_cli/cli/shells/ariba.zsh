#compdef ariba
# Completion of ariba for Zsh, after compinit: eval "$(ariba completion zsh)"

_ariba_completion() {
    local -a found open
    local line="${(j: :)words[1,CURRENT-1]} $PREFIX"
    found=(${(f)"$(_ARIBA_COMPLETE=complete_bash _ARIBA_COMPLETE_LINE=$line ${words[1]} 2>/dev/null </dev/null)"})
    if (( ! $#found )); then
        _files
        return
    fi
    # A number follows what ends so.
    open=(${(M)found:#*[=:<]})
    found=(${found:#*[=:<]})
    (( $#found )) && compadd -a found
    (( $#open )) && compadd -S '' -a open
    return 0
}

compdef _ariba_completion ariba
