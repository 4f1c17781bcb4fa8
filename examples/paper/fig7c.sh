#!/usr/bin/env bash
# Figure 7c: one attacked round, against k̃, how many participants are taken for suspects.
set -euo pipefail
# shellcheck source=examples/paper/common.sh
. "$(dirname "$0")/common.sh"

for seed in $FIGURE_SEEDS; do
    for k_est in $K_ESTS; do
        cell=$RESULTS/fig7c/$k_est/seed-$seed
        if whole "$cell"/{attack,audit,pruned}.json; then
            continue
        fi
        say "figure 7c: k̃ = $k_est, seed $seed"
        train mnist "$seed"
        attack "mnist-$seed-pattern" "$seed" pattern
        record "$cell/attack.json"
        audit "$cell/audit.json" "$attacked" "$CNN_LAYER" "$k_est" --truth
        evaluate "$cell/pruned.json" "$seed" pattern --drop "$cell/audit.json"
    done
done
