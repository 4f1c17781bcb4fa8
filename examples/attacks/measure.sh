#!/usr/bin/env bash
# Attack one saved honest round in every way that rows.txt names, and print a table of what came
# of each: in Markdown, as in docs/attacks.md.
#
#   examples/attacks/measure.sh ROUND OUT [ROWS]
#
# Each line of ROWS is the options of one attack, as `ariba attack` takes them. The attacked
# rounds are removed once they are measured; what was measured stays in OUT, and a row that
# is there is not measured again.
#
# Needs ariba and jq.
set -euo pipefail

if [ $# -lt 2 ] || [ $# -gt 3 ]; then
    sed -n '2,12s/^# \{0,1\}//p' "$0" >&2
    exit 2
fi
round=$1
out=$2
rows=${3:-$(dirname "$0")/rows.txt}
mkdir -p "$out"

# measure NAME OPTION…: what an attack did, whom an audit flags, and how long updates are.
measure() {
    local to=$out/$1
    shift
    if [ -e "$to.json" ]; then
        return
    fi
    rm -rf "$to" "$to.partial"
    ariba attack "$round" --out "$to" "$@" >"$to.txt" 2>&1 || {
        cat "$to.txt" >&2
        exit 2
    }
    ariba audit "$to" -f json >"$to.audit"
    ariba inspect "$to" -f json >"$to.inspect"
    jq -s 'def among($some): . as $one | any($some[]; . == $one);
        def middle: .[length / 2 | floor];
        .[0] as $truth | .[1].result.ranking as $ranking | .[2].result.participants as $all
        | ($truth.compromised) as $bad
        | ([$all[] | select(.id | among($bad) | not) | .norm] | sort) as $honest
        | ([$all[] | select(.id | among($bad)) | .norm] | sort) as $forged
        | {
            before: $truth.attack.before, after: $truth.attack.after,
            ratio: (($forged | middle) / ($honest | middle)),
            found: ([$ranking[] | select(.flagged and (.id | among($bad)))] | length),
            falsely: ([$ranking[] | select(.flagged and (.id | among($bad) | not))] | length),
            compromised: ($bad | length)
        }' "$to/truth.json" "$to.audit" "$to.inspect" >"$to.partial"
    rm -rf "$to" "$to.txt" "$to.audit" "$to.inspect"
    mv "$to.partial" "$to.json"
}

echo "| \`ariba attack\` … | X′% before | X′% after | accuracy | norm | found | falsely flagged |"
echo "| --- | --- | --- | --- | --- | --- | --- |"
number=0
while read -r -a options; do
    number=$((number + 1))
    name=$(printf 'row_%02d' "$number")
    measure "$name" "${options[@]}"
    jq -r --arg options "${options[*]}" '
        def percent: . * 1000 | round / 10;
        "| `\($options)` | \(.before.backdoor_accuracy | percent) | "
        + "\(.after.backdoor_accuracy | percent) | \(.after.accuracy | percent) | "
        + "\(.ratio * 100 | round / 100) | \(.found) of \(.compromised) | \(.falsely) |"' "$out/$name.json"
done <"$rows"
