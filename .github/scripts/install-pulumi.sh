#!/usr/bin/env bash
# Installs the Pulumi CLI of the version and the hash below, and puts it on the PATH of later steps.
#
# The package `pulumi` of npm would run a script that it downloads, without a hash; here it would run with credentials.
# The hash is that of Pulumi's own Homebrew formula (pulumi/homebrew-tap, commit
# 51fb494f9549f08978388a9994547e46509279af), for the archive of the release on GitHub.
set -euo pipefail

version=3.259.0
sha256=94ba357acac23d01474084c4b00098dc0f7bc70ce13f34c777459254a5f718e5
# Another address is for tests.
address=${PULUMI_ARCHIVE:-https://github.com/pulumi/pulumi/releases/download/v$version/pulumi-v$version-linux-x64.tar.gz}

folder=${RUNNER_TEMP:-${TMPDIR:-/tmp}}/pulumi-$version
mkdir -p "$folder"
curl --silent --show-error --fail --location --retry 3 --max-time 300 --output "$folder/archive.tar.gz" "$address"
if ! sha256sum --check --status <<<"$sha256  $folder/archive.tar.gz"; then
  echo "install-pulumi: what $address gave has another SHA-256 than pinned:" >&2
  echo "  expected $sha256" >&2
  echo "  got      $(sha256sum "$folder/archive.tar.gz" | cut -d ' ' -f 1)" >&2
  rm -rf "$folder"
  exit 1
fi
tar -xzf "$folder/archive.tar.gz" -C "$folder"
rm "$folder/archive.tar.gz"
echo "$folder/pulumi" >>"${GITHUB_PATH:?runs in a job of GitHub Actions}"
