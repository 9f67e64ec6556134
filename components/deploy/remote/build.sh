# shellcheck shell=bash
# Builds a derivation that was copied to the machine, and keeps the result from the garbage collector.

# Usage: build DERIVATION [nix-store options]
build() {
  local derivation=$1 build watcher path status=0
  shift
  mkdir -p "$RUN_FOLDER"
  nix-store --realise "$derivation" --add-root "$BUILD_ROOT" "$@" </dev/null >"$BUILD_ROOT.path" &
  build=$!
  # The build ends with the connection: standard input stays open for as long as the deployment lives.
  {
    while read -r _; do :; done
    kill "$build"
  } <&0 &>/dev/null &
  watcher=$!
  wait "$build" || status=$?
  kill "$watcher" 2>/dev/null || true
  if ((status == 0)); then
    path=$(get "$BUILD_ROOT.path")
    say built "$(readlink -f "$path")"
  else
    say build-failed "$status"
  fi
}
