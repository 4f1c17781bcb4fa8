# shellcheck shell=bash
# The scripts use what seems unused here.
# shellcheck disable=SC2034
#
# Settings and functions of the scripts in this folder, which source it.
#
# A cell is one number, or a few, of a table or a figure: a folder of JSON files in
# $RESULTS. A cell whose files are all there and whole is not made again, so that a script
# that was stopped goes on where it was.
set -euo pipefail
# Without it, what fails inside $(…) would be passed over.
shopt -s inherit_errexit

quick=${PAPER_QUICK:-0}
if [ "$quick" = 1 ]; then
    # Does it all work? The numbers mean nothing.
    PAPER_OUT=${PAPER_OUT:-runs/paper-quick}
    GREY_SEEDS=1 CIFAR_SEEDS=1 FIGURE_SEEDS=1
    K=2 K_EST=4
    SIMULATE=(--participants 20 --rounds 3) ATTACK=(--epochs 3)
    CIFAR_LAYER=conv2
    RHOS="0.5" SIGMAS="10" K_ESTS="2 5" CNN_LAYERS="conv2 fc2" RESNET_LAYERS="conv1"
else
    PAPER_OUT=${PAPER_OUT:-runs/paper}
    GREY_SEEDS=${PAPER_SEEDS:-1 2 3 4 5}
    CIFAR_SEEDS=${PAPER_CIFAR_SEEDS:-1 2 3}
    FIGURE_SEEDS=${PAPER_FIGURE_SEEDS:-1 2 3}
    # With 50 participants, the default, (n, k, k̃) = (50, 5, 10).
    K=5 K_EST=10
    SIMULATE=() ATTACK=()
    CIFAR_LAYER=layer3.0.conv1
    RHOS="0 0.1 0.3 0.5 0.7 0.9"
    SIGMAS="5 10 20 30 40 50"
    K_ESTS="5 10 15 20 25"
    CNN_LAYERS="conv1 conv2 fc1 fc2"
    RESNET_LAYERS=$(echo layer{1..4}.{0,1}.conv{1,2})
fi
CNN_LAYER=conv2
# One seed is enough for the figures that look at one round, and for the layers of ResNet18.
FIRST_FIGURE_SEED=${FIGURE_SEEDS%% *}
FIRST_CIFAR_SEED=${CIFAR_SEEDS%% *}
RESULTS=$PAPER_OUT/results
# The paper tests a backdoor on so many images.
IMAGES=30

say() {
    echo "paper: $*" >&2
}

# Quick results are no cells of the paper, and must not be taken for some.
mkdir -p "$RESULTS"
if [ ! -e "$PAPER_OUT/quick" ]; then
    echo "$quick" >"$PAPER_OUT/quick.partial"
    mv "$PAPER_OUT/quick.partial" "$PAPER_OUT/quick"
elif [ "$(cat "$PAPER_OUT/quick")" != "$quick" ]; then
    say "'$PAPER_OUT' was made with another PAPER_QUICK; name another PAPER_OUT"
    exit 2
fi

# whole FILE…: whether all of them are there, each to the brace that ends it, alone on its line.
whole() {
    local file
    for file; do
        [ -f "$file" ] && [ "$(tail -n 1 "$file")" = "}" ] || return 1
    done
}

# train DATASET SEED: train an honest federation, unless that has been done.
# Sets `run`, its folder, and `honest`, its last round.
train() {
    local dataset=$1 seed=$2 resume=()
    if [ "$quick" = 1 ]; then
        dataset=digits
    fi
    run=$PAPER_OUT/federations/$dataset-$seed
    if [ ! -d "$run" ]; then
        if [ -e "$run.partial" ]; then
            resume=(--resume)
        fi
        say "training $dataset, seed $seed"
        ariba simulate "$run" --dataset "$dataset" --seed "$seed" --keep last \
            "${SIMULATE[@]}" "${resume[@]}" >&2
    fi
    local rounds=("$run"/round_*)
    honest=${rounds[-1]}
}

# attack NAME SEED TRIGGER [OPTION…]: write `honest` again with participants compromised,
# unless that has been done. Sets `attacked`, the round.
attack() {
    local seed=$2 trigger=$3 resume=()
    attacked=$PAPER_OUT/rounds/$1
    shift 3
    if [ -d "$attacked" ]; then
        return
    fi
    if [ -e "$attacked.partial" ]; then
        resume=(--resume)
    fi
    ariba attack "$honest" --out "$attacked" --k "$K" --trigger "$trigger" \
        --backdoor-images "$IMAGES" --seed "$seed" "${ATTACK[@]}" "${resume[@]}" "$@" >&2
}

# record FILE: keep what the attack did, which outlives the attacked round.
record() {
    mkdir -p "$(dirname "$1")"
    cp "$attacked/truth.json" "$1.partial"
    mv "$1.partial" "$1"
}

# audit FILE ROUND LAYER K_EST [OPTION…]: write the report of an audit.
audit() {
    local file=$1 round=$2 layer=$3 k_est=$4
    shift 4
    if whole "$file"; then
        return
    fi
    mkdir -p "$(dirname "$file")"
    ariba audit "$round" --layer "$layer" --k-est "$k_est" "$@" -f json -o "$file.partial"
    mv "$file.partial" "$file"
}

# evaluate FILE SEED TRIGGER [OPTION…]: average `attacked`, where the options may leave
# suspects out, and write how the model does.
evaluate() {
    local file=$1 seed=$2 trigger=$3 model=${1%.json}.safetensors
    shift 3
    if whole "$file"; then
        return
    fi
    rm -f "$model"
    ariba aggregate "$attacked" --out "$model" "$@" >&2
    ariba evaluate "$model" --run "$run/run.json" --trigger "$trigger" \
        --backdoor-images "$IMAGES" --seed "$seed" -f json -o "$file.partial"
    mv "$file.partial" "$file"
    rm "$model"
}

# forget NAME: remove an attacked round, once no more reports are to be made of it. One of
# ResNet18 takes more than 2 GB.
forget() {
    rm -rf "$PAPER_OUT/rounds/$1"
}
