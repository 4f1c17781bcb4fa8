# Completion of ariba for Fish: ariba completion fish | source

function __ariba_complete
    set -l line (commandline -cp | string collect)
    set -l found (_ARIBA_COMPLETE=complete_bash _ARIBA_COMPLETE_LINE=$line ariba 2>/dev/null </dev/null | string match --regex '.+')
    if test (count $found) -gt 0
        printf '%s\n' $found
    else
        # Files and directories.
        __fish_complete_path (commandline -ct)
    end
end

complete --command ariba --no-files --arguments '(__ariba_complete)'
