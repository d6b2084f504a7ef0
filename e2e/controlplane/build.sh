#!/usr/bin/env bash
# Build etcd, kube-apiserver, kube-scheduler and kube-controller-manager once, with Go 1.26.
# Progress goes to stderr; the only line on stdout is the folder with the four programs.
set -euo pipefail

GO_SERIES=go1.26
GO_RELEASE=go1.26.8 # asked of the go command when the installed one is of another series
KUBERNETES=v1.36.2
PROGRAMS=(etcd kube-scheduler kube-controller-manager kube-apiserver)

say() { echo "build.sh: $*" >&2; }

complete() { # folder
  local program
  for program in "${PROGRAMS[@]}"; do [ -x "$1/$program" ] || return 1; done
}

cd "$(dirname "${BASH_SOURCE[0]}")"
cache=${XDG_CACHE_HOME:-$HOME/.cache}/roost/controlplane
target=$cache/$(sha256sum go.sum | cut -c1-16)
if complete "$target"; then
  say "already built"
  echo "$target"
  exit 0
fi
command -v go >/dev/null || { say "needs the go command (1.26) to build the control plane"; exit 1; }

# Built with another series of Go the API server's OpenAPI differs, and kubectl apply fails.
case $(GOTOOLCHAIN=local go env GOVERSION) in
  "$GO_SERIES" | "$GO_SERIES".*) export GOTOOLCHAIN=local ;;
  *) export GOTOOLCHAIN=$GO_RELEASE ;;
esac
export CGO_ENABLED=0 GOFLAGS="-mod=readonly -buildvcs=false -trimpath" GOWORK=off
say "$(go env GOVERSION), Kubernetes $KUBERNETES; the first build takes several minutes"

mkdir -p "$cache"
partial=$(mktemp -d "$cache/.partial.XXXXXX")
trap 'rm -rf "$partial"' EXIT
chmod 755 "$partial"

IFS=. read -r major minor _ <<<"${KUBERNETES#v}"
version=k8s.io/component-base/version
flags="-s -w -X $version.gitVersion=$KUBERNETES -X $version.gitMajor=$major -X $version.gitMinor=$minor"
say "fetching modules"
go mod download
for i in "${!PROGRAMS[@]}"; do
  program=${PROGRAMS[$i]} began=$SECONDS
  say "building $program ($((i + 1)) of ${#PROGRAMS[@]})"
  go build -ldflags "$flags" -o "$partial/$program" "./cmd/$program"
  say "built $program in $((SECONDS - began)) s"
done

if ! complete "$target"; then # else another build was faster
  rm -rf "$target"
  mv -T "$partial" "$target"
fi
say "done in $SECONDS s"
echo "$target"
