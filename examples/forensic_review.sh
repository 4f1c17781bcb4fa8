#!/usr/bin/env bash
# Review a round before its aggregate is deployed, and stop the deployment when something
# in it looks backdoored or could not be looked at.
#
#   examples/forensic_review.sh ROUND REPORT.json LAYER SHARE
#
# SHARE is the share of marked fragments above which a participant stops the deployment.
# Chance gives k_est/n = 0.2, but honest participants differ: take it from rounds of yours
# that you know to be clean.
#
# Needs ariba and jq. Exits with 0 when nothing speaks against the round, with 1 when the
# deployment is to be stopped, and with 2 when the review could not be done.
set -euo pipefail

if [ $# -ne 4 ]; then
    sed -n '2,13s/^# \{0,1\}//p' "$0" >&2
    exit 2
fi
round=$1
report=$2
layer=$3
share=$4

status=0
ariba audit "$round" --layer "$layer" --k-est 20% -f json -o "$report" \
    --fail-on "share>=$share" --fail-on refused --fail-on nonfinite --fail-on duplicate \
    --verify-seal --fail-on unsealed || status=$?
if [ "$status" -gt 1 ]; then
    exit 2
fi

echo "Shares of $share and more:"
jq -r --argjson least "$share" '.result.ranking[] | select(.share >= $least) | "  \(.id)  share \(.share)"' "$report"
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
