#!/usr/bin/env bash
# Figure 7a: attackers who keep their weights near those that were sent out, against ρ, the
# weight of that in their objective.
set -euo pipefail
# shellcheck source=examples/paper/common.sh
. "$(dirname "$0")/common.sh"

for seed in $FIGURE_SEEDS; do
    for rho in $RHOS; do
        cell=$RESULTS/fig7a/$rho/seed-$seed
        name=mnist-$seed-rho-$rho
        if ! whole "$cell"/{attack,audit}.json; then
            say "figure 7a: ρ = $rho, seed $seed"
            train mnist "$seed"
            attack "$name" "$seed" pattern \
                --strategy anomalous --strategy replacement --rho "$rho" --anomaly l2
            record "$cell/attack.json"
            audit "$cell/audit.json" "$attacked" "$CNN_LAYER" "$K_EST" --truth
        fi
        forget "$name"
    done
done
