#!/bin/sh
# Asks a deployment for its version and its health, and for the pages that customers see first.
set -eu
usage() {
  echo "usage: smoke-test.sh --url URL --version VERSION [--ca-file FILE]"
  echo "  --url URL           the public address"
  echo "  --version VERSION   the version that has to answer"
  echo "  --ca-file FILE      an authority to trust beside the system's own"
}
url="" version="" trust=""
while [ $# -gt 0 ]; do
  case "$1" in
    --help) usage; exit 0 ;;
    --url) url="$2"; shift 2 ;;
    --version) version="$2"; shift 2 ;;
    --ca-file) trust="--cacert $2"; shift 2 ;;
    *) usage >&2; exit 2 ;;
  esac
done
[ -n "$url" ] && [ -n "$version" ] || { usage >&2; exit 2; }
# shellcheck disable=SC2086
curl --fail --silent $trust "$url/health" | grep -q "\"version\":\"${version#v}\""
for page in / /login /book; do
  # shellcheck disable=SC2086
  curl --fail --silent --output /dev/null $trust "$url$page"
done
echo "$version serves"
