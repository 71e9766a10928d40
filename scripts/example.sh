#!/usr/bin/env bash
# The main job on a small model, from a clean clone: builds, fine-tunes, merges, evaluates side by side, writes on.
# Run in the repository root: scripts/example.sh (a minute or two on two cores, no GPU needed).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
base=tests/LlmTune.Tests/models/stories260K
dotnet build -c Release src/LlmTune.Cli --nologo -v quiet
llmtune() { echo; echo "\$ llmtune $*"; out/build/bin/LlmTune.Cli/release/llmtune "$@"; }

llmtune train configs/example.yaml --force
llmtune merge out/example --output out/example-merged --force
llmtune eval "$base" out/example out/example-merged --data examples/held-out.jsonl --stop . --output out/example/evaluation.json
llmtune generate out/example-merged --prompt "Tom has a red ball. Lily has a blue hat. Who has the hat?" --max-new-tokens 8 --stop .
