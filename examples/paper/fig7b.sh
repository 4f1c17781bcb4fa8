#!/usr/bin/env bash
# Figure 7b: attackers who scale their updates by less, against σ, the sum of their factors.
set -euo pipefail
# shellcheck source=examples/paper/common.sh
. "$(dirname "$0")/common.sh"

for seed in $FIGURE_SEEDS; do
    for sigma in $SIGMAS; do
        cell=$RESULTS/fig7b/$sigma/seed-$seed
        name=mnist-$seed-sigma-$sigma
        if ! whole "$cell"/{attack,audit}.json; then
            say "figure 7b: σ = $sigma, seed $seed"
            train mnist "$seed"
            attack "$name" "$seed" pattern --strategy replacement --sigma "$sigma"
            record "$cell/attack.json"
            audit "$cell/audit.json" "$attacked" "$CNN_LAYER" "$K_EST" --truth
        fi
        forget "$name"
    done
done
