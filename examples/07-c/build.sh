#!/bin/sh
# Makes X.wasm of every X.c, into this folder or the one that is named. Needs clang and wasm-ld (Debian: clang, lld).
set -e
here=$(cd "$(dirname "$0")" && pwd)
to=${1:-$here}
for source in "$here"/*.c; do
  name=$(basename "$source" .c)
  clang --target=wasm32 -std=c11 -O2 -Wall -Wextra -Werror -nostdlib -I "$here/../../sdk/c" \
    -Wl,--no-entry -Wl,-z,stack-size=16384 -o "$to/$name.wasm" "$source"
done
