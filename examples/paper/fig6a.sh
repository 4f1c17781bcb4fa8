#!/usr/bin/env bash
# Figure 6a: the scores of all participants, in an attacked round and in the same round
# while it was honest.
set -euo pipefail
# shellcheck source=examples/paper/common.sh
. "$(dirname "$0")/common.sh"

seed=$FIRST_FIGURE_SEED
cell=$RESULTS/fig6a
if whole "$cell"/{attacked,clean}/seed-"$seed"/audit.json; then
    exit
fi
say "figure 6a: seed $seed"
train mnist "$seed"
attack "mnist-$seed-pattern" "$seed" pattern
audit "$cell/attacked/seed-$seed/audit.json" "$attacked" "$CNN_LAYER" "$K_EST" --truth
audit "$cell/clean/seed-$seed/audit.json" "$honest" "$CNN_LAYER" "$K_EST"
