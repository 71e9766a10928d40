#!/usr/bin/env bash
# The main job on a small model, from a clean clone: builds, fine-tunes, merges, evaluates side by side, writes on.
# Run in the repository root: scripts/example.sh (a minute on two cores after restore, no GPU needed).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
base=tests/LlmTune.Tests/models/stories260K
dotnet build -c Release src/LlmTune.Cli --nologo -v quiet
llmtune() { echo; echo "\$ llmtune $*"; out/build/bin/LlmTune.Cli/release/llmtune "$@"; }

llmtune train configs/example.yaml --force
llmtune merge out/example --output out/example-merged --force
llmtune eval "$base" out/example out/example-merged --data examples/held-out.jsonl --output out/example/evaluation.json
llmtune generate out/example-merged --prompt "One day, Lucy had a big hat. What did Lucy have?"
