#!/usr/bin/env bash
# Figure 7d: one attacked round, against the layer that is examined.
#
#   examples/paper/fig7d.sh [mnist] [cifar10]
#
# Without arguments it makes both. The attacked round of ResNet18 is removed at the end.
set -euo pipefail
# shellcheck source=examples/paper/common.sh
. "$(dirname "$0")/common.sh"

# cell FIGURE DATASET TRIGGER LAYER SEED
cell() {
    local dataset=$2 trigger=$3 layer=$4 seed=$5
    local cell=$RESULTS/$1/$layer/seed-$seed
    if whole "$cell"/{attack,audit,pruned}.json; then
        return
    fi
    say "figure 7d: $layer on $dataset, seed $seed"
    train "$dataset" "$seed"
    attack "$dataset-$seed-$trigger" "$seed" "$trigger"
    record "$cell/attack.json"
    audit "$cell/audit.json" "$attacked" "$layer" "$K_EST" --truth
    evaluate "$cell/pruned.json" "$seed" "$trigger" --drop "$cell/audit.json"
}

for dataset in "${@:-all}"; do
    case $dataset in
        mnist | cifar10 | all) ;;
        *)
            say "'$dataset' is neither mnist nor cifar10"
            exit 2
            ;;
    esac
    if [ "$dataset" != cifar10 ]; then
        for seed in $FIGURE_SEEDS; do
            for layer in $CNN_LAYERS; do cell fig7d mnist pattern "$layer" "$seed"; done
        done
    fi
    if [ "$dataset" != mnist ]; then
        for layer in $RESNET_LAYERS; do
            cell fig7d-cifar10 cifar10 semantic "$layer" "$FIRST_CIFAR_SEED"
        done
        forget "cifar10-$FIRST_CIFAR_SEED-semantic"
    fi
done
