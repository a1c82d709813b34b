#!/bin/sh
# Makes spell.wasm, here or in the folder that is named, by the compiler in ASC (default: that of npm, fetched for once).
set -e
cd "$(dirname "$0")/../.."
to=${1:-examples/06-assemblyscript}
${ASC:-npx --yes --package=assemblyscript@0.28.20 asc} examples/06-assemblyscript/assembly/spell.ts \
  --outFile "$to/spell.wasm" -O3 --runtime incremental --use abort=
