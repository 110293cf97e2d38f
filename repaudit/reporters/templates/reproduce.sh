
usage() {
  cat >&2 <<END
Usage: sh $0 check [KEY.pub]   are the files beside this one those that were signed off?
       sh $0 image IMAGE       is IMAGE (docker://…, oci-archive:…) the one that was signed off?
       sh $0 build SOURCE      build the image again from SOURCE${URI:+ ($URI)}
Exit codes: 0 yes, 1 no, 2 wrong usage, 3 could not tell.
END
  exit 2
}

no() { echo "NO: $*"; exit 1; }
unknown() { echo "could not tell: $*" >&2; exit 3; }
need() { for tool; do command -v "$tool" >/dev/null || unknown "$tool is not installed"; done; }

check() {
  key=${1:-}
  case $key in '' | /*) ;; *) key=$PWD/$key ;; esac
  need sha256sum
  cd "$(dirname "$0")"
  sha256sum --check --strict --quiet SHA256SUMS || no "a file is not the one that was signed off"
  echo "the files are those of SHA256SUMS"
  if [ ! -f SHA256SUMS.sig ]; then
    [ -z "$key" ] || no "it is not signed: there is no SHA256SUMS.sig to verify with $key"
    echo "it is not signed"
    return
  fi
  [ -n "$key" ] || { echo "who signed it was not checked: name the key that you trust"; return; }
  need openssl
  kind=$(openssl pkey -pubin -in "$key" -noout -text) || unknown "$key is no public key"
  case $kind in
    *ED25519*) set -- pkeyutl -verify -pubin -inkey "$key" -rawin -in SHA256SUMS -sigfile SHA256SUMS.sig ;;
    *) set -- dgst -sha256 -verify "$key" -signature SHA256SUMS.sig SHA256SUMS ;;
  esac
  openssl "$@" >/dev/null 2>&1 || no "SHA256SUMS is not signed with $key"
  echo "SHA256SUMS is signed with $key"
}

compare() { # compare CONFIG MANIFEST
  [ "$1" = "$CONFIG" ] || no "its config is $1, and $CONFIG was signed off"
  echo "the same image: config $CONFIG, and so every layer"
  for digest in $MANIFESTS; do
    [ "$2" != "$digest" ] || { echo "the same manifest: $2"; return; }
  done
  echo "its manifest is another: $2 (its layers are compressed otherwise)"
}

image() {
  need skopeo sha256sum
  skopeo inspect --raw "$1" >"$ROOM/manifest" || unknown "$1 cannot be read"
  skopeo inspect --raw --config "$1" >"$ROOM/config" || unknown "$1 cannot be read"
  compare "sha256:$(sha256sum <"$ROOM/config" | cut -c -64)" \
    "sha256:$(sha256sum <"$ROOM/manifest" | cut -c -64)"
}

build() {
  need buildah
  source=$1
  umask 022
  if [ -n "$COMMIT" ]; then
    need git
    git clone --quiet --no-checkout -- "$source" "$ROOM/source" || unknown "$source cannot be cloned"
    source=$ROOM/source
    git -C "$source" checkout --quiet --detach "$COMMIT" || unknown "it has no commit $COMMIT"
    while IFS= read -r path; do
      [ -z "$path" ] || git -C "$source" submodule --quiet update --init -- "$path" ||
        unknown "the submodule $path cannot be had"
    done <<END
$SUBMODULES
END
  fi
  while IFS=' ' read -r digest name; do
    [ -z "$digest" ] || base "$digest" "$name"
  done <<END
$BASES
END
  cd "$source/$FOLDER"
  run "$ROOM/id" || unknown "the build failed"
  made=$(cat "$ROOM/id")
  compare "$made" "$(digest_of "$made")"
}

digest_of() { buildah inspect --type image --format '{{.FromImageDigest}}' "$1" 2>/dev/null; }

base() { # base DIGEST NAME: what NAME stands for must be the image that was built on
  if ! found=$(digest_of "$2"); then
    name=${2%@*}
    case ${name##*/} in *:*) bare=${name%:*} ;; *) bare=$name ;; esac
    buildah pull --quiet "$bare@$1" >/dev/null || unknown "the base image $bare@$1 cannot be had"
    [ "$name" != "$2" ] || buildah tag "$bare@$1" "$2"
    found=$(digest_of "$2") || unknown "the base image $2 is not there"
  fi
  [ "$found" = "$1" ] || unknown "the base image $2 is $found here, and was $1"
}

ROOM=$(mktemp -d)
trap 'rm -rf "$ROOM"' EXIT
trap 'exit 130' HUP INT TERM
case ${1:-}.$# in
  check.1 | check.2) check "${2:-}" ;;
  image.2) image "$2" ;;
  build.2) build "$2" ;;
  *) usage ;;
esac
