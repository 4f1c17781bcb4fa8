#!/usr/bin/env bash
# Table 1: what three attacks do to the global model, without and with ARIBA.
#
#   examples/paper/table1.sh [targeted] [pattern] [semantic]
#
# Without arguments it makes all three.
set -euo pipefail
# shellcheck source=examples/paper/common.sh
. "$(dirname "$0")/common.sh"

# cell TRIGGER DATASET LAYER SEED
cell() {
    local trigger=$1 dataset=$2 layer=$3 seed=$4
    local cell=$RESULTS/table1/$trigger/seed-$seed name=$dataset-$seed-$trigger
    if ! whole "$cell"/{attack,audit,plain,pruned}.json; then
        say "table 1: $trigger on $dataset, seed $seed"
        train "$dataset" "$seed"
        attack "$name" "$seed" "$trigger"
        record "$cell/attack.json"
        audit "$cell/audit.json" "$attacked" "$layer" "$K_EST" --truth
        evaluate "$cell/plain.json" "$seed" "$trigger"
        evaluate "$cell/pruned.json" "$seed" "$trigger" --drop "$cell/audit.json"
    fi
    # The figures look at the others again; fig7d.sh removes the one of CIFAR-10.
    case $trigger-$seed in
        pattern-* | semantic-"$FIRST_CIFAR_SEED") ;;
        *) forget "$name" ;;
    esac
}

for trigger in "${@:-all}"; do
    case $trigger in
        targeted | pattern | semantic | all) ;;
        *)
            say "'$trigger' is none of targeted, pattern and semantic"
            exit 2
            ;;
    esac
    if [ "$trigger" = targeted ] || [ "$trigger" = all ]; then
        for seed in $GREY_SEEDS; do cell targeted fashion-mnist "$CNN_LAYER" "$seed"; done
    fi
    if [ "$trigger" = pattern ] || [ "$trigger" = all ]; then
        for seed in $GREY_SEEDS; do cell pattern mnist "$CNN_LAYER" "$seed"; done
    fi
    if [ "$trigger" = semantic ] || [ "$trigger" = all ]; then
        for seed in $CIFAR_SEEDS; do cell semantic cifar10 "$CIFAR_LAYER" "$seed"; done
    fi
done
