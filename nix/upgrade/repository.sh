#!/usr/bin/env bash
# shellcheck disable=SC2034 # variables for the scripts that source this one
# What the repository says, for the scripts of this folder: which revision the branch is at, whether it leads on from
# another one, whether a commit is signed. Whatever is installed as root is decided by these answers. So they are about the
# exact branch of the exact repository, or they are none.
#
# A function that cannot answer leaves the reason in TROUBLE (see trouble.sh) and returns 2; 1 is a "no".

# shellcheck source=/dev/null
source "$UPGRADE_TROUBLE"

TROUBLE=
# What a repository that was renamed or transferred is called now, where that was found on the way.
MOVED=

is_revision() {
  [[ $1 =~ ^([0-9a-f]{40}|[0-9a-f]{64})$ ]]
}

unknown() { # TROUBLE
  TROUBLE=$1
  return 2
}

# Runs a git command with its standard error in a file, and explains a failure.
explained() { # FILE FOR ITS STANDARD OUTPUT, COMMAND…
  local output=$1 status=0 errors
  shift
  errors=$(mktemp) || unknown "$(trouble disk machine "No temporary file can be made: is the disk full?")" || return
  "$@" >"$output" 2>"$errors" || status=$?
  [[ $status == 0 ]] || TROUBLE=$(git_trouble "$status" "$errors")
  rm -f "$errors"
  [[ $status == 0 ]] || return 2
}

# A question to the folder with the commits. Nothing may make git fetch a commit that it lacks on the way, from wherever the
# server finds it: that would be an answer about what anybody pushed, and not about the branch.
in_history() { # FOLDER, GIT COMMAND…
  local folder=$1
  shift
  GIT_NO_LAZY_FETCH=1 GIT_NO_REPLACE_OBJECTS=1 GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null \
    git -c core.commitGraph=false --git-dir="$folder" "$@"
}

make_history() { # FOLDER, A REVISION of the same kind of hash
  local format=sha1
  ((${#2} == 40)) || format=sha256
  rm -rf "$1" && explained /dev/null git init --quiet --bare --object-format="$format" --template= "$1"
}

# --- Signatures -------------------------------------------------------------------------------------------------------

# Whether a commit of the branch is signed by a key that this system trusts. 0: yes; 1: no, and TROUBLE says what was found;
# 2: it could not be told. GitHub's own "verified" is not asked: it would be GitHub's word, about GitHub's list of keys.
signed() { # REVISION
  local status=0
  has_commit "$1" || status=$?
  [[ $status != 0 ]] || verify_signature "$COMMITS" "$1" || status=$?
  return $status
}

verify_signature() { # FOLDER REVISION
  local home words status=0
  home=$(mktemp -d) || unknown "$(trouble disk machine "No temporary folder can be made: is the disk full?")" || return
  # A keyring of its own, with GitHub's key or none: a key that root once imported is in no list.
  [[ -z $UPGRADE_GITHUB_SIGNING_KEY ]] ||
    GNUPGHOME=$home "$UPGRADE_GPG" --batch --quiet --import "$UPGRADE_GITHUB_SIGNING_KEY" 2>"$home/errors" || true
  GNUPGHOME=$home in_history "$1" -c gpg.ssh.allowedSignersFile="$UPGRADE_ALLOWED_SIGNERS" -c gpg.ssh.program=ssh-keygen \
    -c gpg.program="$UPGRADE_GPG" -c gpg.openpgp.program="$UPGRADE_GPG" -c gpg.x509.program=false \
    verify-commit "$2" >"$home/output" 2>"$home/errors" || status=$?
  words=$(cat "$home/output" "$home/errors" | quotable)
  rm -rf "$home"
  [[ $status != 0 ]] || return 0
  TROUBLE=$(trouble unsigned machine "${words:-the commit is not signed}")
  return 1
}

# --- The way of access ------------------------------------------------------------------------------------------------

# Everything that depends on how the repository is read is in one file for each way, which has these functions:
#   ask_branch           answers for remote.sh which revision the branch is at
#   leads_on FROM TO     whether the branch leads on from one revision to another, which is on it. 0: yes; 1: no; 2: not known
#   has_commit REVISION  brings a commit of the branch into the folder COMMITS; 0, 1 and 2 as above
#   forget_requests      removes what the questions have left
WAY=$UPGRADE_WAYS/$UPGRADE_ACCESS.sh
[[ ! -r $WAY ]] || source "$WAY"
