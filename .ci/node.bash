# Sourced by the scripts that need Node. What cannot be run for want of a tool is said loudly; it is not a failure.

skip() {
  printf '\n!!! SKIPPED: %s\n\n' "$1" >&2
  exit 0
}

can_install() { [[ "$(id -u)" == 0 ]] && command -v apt-get >/dev/null; }

# What cannot be installed is found missing afterwards.
install_packages() { DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$@" >/dev/null || true; }

have_node() { command -v npm >/dev/null && node --eval 'process.exit(parseInt(process.versions.node) >= 20 ? 0 : 1)' 2>/dev/null; }

bring_node() {
  have_node && return 0
  if can_install; then
    apt-get update -qq || true
    # An older one would be of no use.
    [[ "$(apt-cache policy nodejs)" =~ Candidate:\ (2[0-9]|[3-9][0-9])\. ]] && install_packages nodejs npm
  fi
  have_node || skip "$1 needs Node 20 or later with npm."
}

# Installs what package-lock.json of this folder names.
install_modules() {
  npm view openapi-fetch version >/dev/null 2>&1 || skip "the npm registry cannot be reached."
  npm ci --silent
}
