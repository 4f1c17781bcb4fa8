#!/usr/bin/env bash
# All tables and figures. The grey images come first, since CIFAR-10 takes by far the longest.
set -euo pipefail
here=$(dirname "$0")

"$here/table1.sh" targeted pattern
"$here/fig6a.sh"
"$here/fig7a.sh"
"$here/fig7b.sh"
"$here/fig7c.sh"
"$here/fig7d.sh" mnist
"$here/table1.sh" semantic
"$here/fig7d.sh" cifar10
