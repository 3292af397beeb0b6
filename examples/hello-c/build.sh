#!/usr/bin/env bash
# Builds target/plugins/hello-c.wasm: `wit-bindgen c` makes the bindings, clang
# compiles, and the linker that Rust ships for wasm32-wasip2 makes a component
# of it. Without wit-bindgen of the right version on the path, it is installed
# from crates.io into target/ on the first run.
# Exits 77 if clang, wasi-libc or Rust is missing.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
cd "$root"
work=${CARGO_TARGET_DIR:-$root/target}/hello-c
out=${PLUGINS:-$root/target/plugins}
version=0.61.1

skip() {
  echo "hello-c: skipped, for $1" >&2
  echo "  Debian: apt-get install clang wasi-libc" >&2
  echo "  Rust:   rustup target add wasm32-wasip2" >&2
  exit 77
}

for tool in clang cargo rustc; do
  command -v "$tool" >/dev/null || skip "there is no $tool"
done
host=$(rustc -vV | sed -n 's/^host: //p')
tools=$(rustc --print sysroot)/lib/rustlib/$host/bin
linker=$tools/wasm-component-ld
wasm_ld=$tools/gcc-ld/wasm-ld
[ -x "$linker" ] && [ -x "$wasm_ld" ] || skip "Rust has no wasm-component-ld or no wasm-ld"
echo '#include <stdlib.h>' | clang --target=wasm32-wasi -fsyntax-only -xc - 2>/dev/null ||
  skip "clang finds no wasi-libc"

mkdir -p "$work/wit/deps/gateway" "$out"
# One that is installed already serves, if it is of that version.
PATH=$PATH:$work/tools/bin
case $(wit-bindgen --version 2>/dev/null) in
*" $version") ;;
*)
  CARGO_PROFILE_DEV_DEBUG=0 cargo install --quiet --locked --debug --root "$work/tools" \
    --target-dir "$work/build" --no-default-features --features c --version "$version" wit-bindgen-cli
  rm -rf "$work/build"
  PATH=$work/tools/bin:$PATH
  ;;
esac

# A package's dependencies belong into `deps/` beside it.
cp "$here/hello.wit" "$work/wit/"
cp "$root"/wit/*.wit "$work/wit/deps/gateway/"
wit-bindgen c "$work/wit" --world hello --out-dir "$work" >"$work/wit-bindgen.log"

for source in "$here/filter.c" "$work/hello.c"; do
  clang --target=wasm32-wasi -Os -Wall -Wextra -Wno-unused-parameter \
    -I"$work" -c "$source" -o "$work/$(basename "$source" .c).o"
done

# `wasi-adapter none`: nothing here calls WASI.
libraries=$(clang --target=wasm32-wasi -print-file-name=libc.a)
"$linker" --wasm-ld-path "$wasm_ld" --no-entry --gc-sections --strip-all --wasi-adapter none -o "$work/hello-c.wasm" \
  "$work/filter.o" "$work/hello.o" "$work/hello_component_type.o" "$libraries"

# Renamed into place, so that a gateway that watches never sees half of it.
cp "$work/hello-c.wasm" "$out/.hello-c.wasm.new"
mv "$out/.hello-c.wasm.new" "$out/hello-c.wasm"
echo "hello-c: $out/hello-c.wasm"
