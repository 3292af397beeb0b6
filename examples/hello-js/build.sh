#!/usr/bin/env bash
# Builds target/plugins/hello-js.wasm with componentize-qjs, which is installed
# from npm into target/ on the first run. Exits 77 if node or npm is missing.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
cd "$root"
work=${CARGO_TARGET_DIR:-$root/target}/hello-js
out=${PLUGINS:-$root/target/plugins}

for tool in node npm; do
  command -v "$tool" >/dev/null || {
    echo "hello-js: skipped, for there is no $tool: install Node.js 18 or later" >&2
    exit 77
  }
done

mkdir -p "$work/wit/deps/gateway" "$out"
cp "$here/package.json" "$here/package-lock.json" "$work/"
cmp -s "$here/package-lock.json" "$work/installed.json" || {
  npm ci --prefix "$work" --no-audit --no-fund --ignore-scripts --loglevel=error
  cp "$here/package-lock.json" "$work/installed.json"
}

# A package's dependencies belong into `deps/` beside it.
cp "$here/hello.wit" "$work/wit/"
cp "$root"/wit/*.wit "$work/wit/deps/gateway/"

# `--sync`: the hooks are plain functions. `--stub-wasi`: no WASI imports.
"$work/node_modules/.bin/componentize-qjs" --sync --stub-wasi \
  --wit "$work/wit" --world hello --js "$here/hello.js" --output "$work/hello-js.wasm"

# Renamed into place, so that a gateway that watches never sees half of it.
cp "$work/hello-js.wasm" "$out/.hello-js.wasm.new"
mv "$out/.hello-js.wasm.new" "$out/hello-js.wasm"
echo "hello-js: $out/hello-js.wasm"
