#!/bin/sh
# What `make deploy` and `make undeploy` run:
#
#   deploy/deploy.sh render|deploy|undeploy POLICY      POLICY is a folder of deploy/overlays, or of deploy
#
# IMAGE is the image of Roost, KUBE_SCHEDULER_IMAGE that of kube-scheduler; without them, what the manifests say.
# kustomize puts them in, from a kustomization in a temporary folder; the files here stay as they are.
set -eu

verb=$1 policy=${2:-}
deploy=$(cd "$(dirname "$0")" && pwd -P)
kubectl=${KUBECTL:-kubectl}

fail() { echo "deploy.sh: $*" >&2; exit 2; }

policies() {
  for found in "$deploy"/overlays/*/kustomization.yaml; do basename "$(dirname "$found")"; done | LC_ALL=C sort | tr '\n' ' '
}

folder() {
  [ -n "$policy" ] || fail "name a policy, as in make $verb POLICY=safe; there are: $(policies)"
  for found in "$deploy/overlays/$policy" "$deploy/$policy"; do
    if [ -f "$found/kustomization.yaml" ]; then echo "$found"; return; fi
  done
  fail "there is no policy $policy; there are: $(policies)"
}

image() { # name in the manifests, the image that is to be there
  case ${2##*/} in
    '') return ;;
    *@*) printf '  - {name: "%s", newName: "%s", digest: "%s"}\n' "$1" "${2%%@*}" "${2#*@}" ;;
    *:*) printf '  - {name: "%s", newName: "%s", newTag: "%s"}\n' "$1" "${2%:*}" "${2##*:}" ;;
    *) printf '  - {name: "%s", newName: "%s", newTag: latest}\n' "$1" "$2" ;;
  esac
}

keep_namespaces() { # others may live there
  printf 'patches:\n  - target: {kind: Namespace}\n'
  printf '    patch: "{$patch: delete, apiVersion: v1, kind: Namespace, metadata: {name: any}}"\n'
}

render() {
  overlay=$(folder)
  made=$(cd "$(mktemp -d)" && pwd -P)
  trap 'rm -rf "$made"' EXIT
  up=$(echo "${made#/}" | sed 's|[^/][^/]*|..|g')  # kustomize takes relative paths only
  {
    printf 'apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n'
    printf 'resources:\n  - "%s%s"\nimages:\n' "$up" "$overlay"
    image roost "${IMAGE:-}"
    image registry.k8s.io/kube-scheduler "${KUBE_SCHEDULER_IMAGE:-}"
    if [ "$verb" = undeploy ]; then keep_namespaces; fi
  } >"$made/kustomization.yaml"
  "$kubectl" kustomize "$made"
}

case $verb in
  render) render ;;
  deploy)
    manifests=$(render)
    echo "$manifests" | "$kubectl" apply -f -
    ;;
  undeploy)
    manifests=$(render)
    echo "$manifests" | "$kubectl" delete --ignore-not-found -f -
    case $(folder) in */overlays/*)  # what earlier configurations and kube-scheduler itself have left
      "$kubectl" -n kube-system delete --ignore-not-found configmaps -l app.kubernetes.io/instance=my-scheduler
      "$kubectl" -n kube-system delete --ignore-not-found leases my-scheduler ;;
    esac
    ;;
  *) fail "render, deploy or undeploy, not $verb" ;;
esac
