#!/usr/bin/env bash
# Review a round before its aggregate is deployed, and stop the deployment when somebody in
# it stands out or could not be looked at.
#
#   examples/forensic_review.sh ROUND REPORT.json [LEVEL]
#
# LEVEL is the false-discovery level, 0.05 when it is not given: of all whom reviews at that
# level flag, about so large a share at most is honest.
#
# Needs ariba and jq. Exits with 0 when nothing speaks against the round, with 1 when the
# deployment is to be stopped, and with 2 when the review could not be done.
set -euo pipefail

if [ $# -lt 2 ] || [ $# -gt 3 ]; then
    sed -n '2,12s/^# \{0,1\}//p' "$0" >&2
    exit 2
fi
round=$1
report=$2
level=${3:-0.05}

status=0
ariba audit "$round" --level "$level" -f json -o "$report" \
    --fail-on flagged --fail-on refused --fail-on nonfinite --fail-on duplicate \
    --verify-seal --fail-on unsealed || status=$?
if [ "$status" -gt 1 ]; then
    exit 2
fi

jq -r '.words.headline' "$report"
jq -r '.result.ranking[] | select(.flagged) | "  \(.id)  p-value \(.p_value)  \([.reasons[].family] | join(", "))"' "$report"
echo "Findings:"
jq -r '[.result.findings, .words.findings] | transpose[] | "  \(.[0].kind)  \(.[0].participant // "-")  \(.[1])"' "$report"
echo "Coverage: $(jq -r '.words.coverage' "$report")."

# The result is the same on every machine, so a second examiner can compare this line.
# jq ends what it prints with a newline, which is not part of what is hashed.
stated=$(jq -r '.result_sha256' "$report")
computed=$(jq -acS '.result' "$report" | tr -d '\n' | sha256sum | cut -d' ' -f1)
echo "Result $stated"
if [ "$stated" != "$computed" ]; then
    echo "The report was changed after it was written." >&2
    exit 2
fi

if [ "$status" -eq 1 ]; then
    echo "Deployment stopped."
    exit 1
fi
echo "Nothing found that speaks against deployment."
