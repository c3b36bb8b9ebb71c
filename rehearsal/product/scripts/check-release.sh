#!/bin/sh
# Checks that a checkout is the release it claims to be.
set -eu
usage() {
  echo "usage: check-release.sh --tag TAG [--repository FOLDER]"
  echo "  --tag TAG             the release, e.g. v2.0.0"
  echo "  --repository FOLDER   where it is checked out; default: the current folder"
}
tag="" repository="."
while [ $# -gt 0 ]; do
  case "$1" in
    --help) usage; exit 0 ;;
    --tag) tag="$2"; shift 2 ;;
    --repository) repository="$2"; shift 2 ;;
    *) usage >&2; exit 2 ;;
  esac
done
[ -n "$tag" ] || { usage >&2; exit 2; }
wanted=$(git -C "$repository" rev-parse "$tag^{commit}")
found=$(git -C "$repository" rev-parse HEAD)
[ "$wanted" = "$found" ] || { echo "checked out is $found, $tag is $wanted" >&2; exit 1; }
[ -z "$(git -C "$repository" status --porcelain)" ] || { echo "files were changed" >&2; exit 1; }
echo "$tag is checked out"
