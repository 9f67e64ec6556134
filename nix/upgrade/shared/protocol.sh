# shellcheck shell=bash
# shellcheck disable=SC2034 # whoever takes this file in uses the names
# What a deployment and the machine's own upgrade tell each other, and what they meet in: files, units, and their version.
# The two are of one version only by chance: a machine runs the system that it last installed, a deployment comes from
# whatever checkout somebody has. docs/deployment.md says what each name means; docs, tests and both sides keep to these.
#
# The files of this folder stand in nix/upgrade/shared and in components/deploy/remote/shared, the same byte for byte (a test
# compares them): the flake and the package are each whole by themselves, and a deployment also asks machines that have
# nothing of ours. They need bash, coreutils, grep, sed, systemd and Nix.

# Raised when one side would misread what the other means; a name that is only added raises nothing. The machine states it
# in PROTOCOL_FILE of its system, a guard in its own folder; where nothing is stated it is 1.
PROTOCOL_VERSION=1
PROTOCOL_FILE=/run/current-system/etc/nixos-upgrade/protocol

# Gone after a restart of the machine.
RUN_FOLDER=${NIXOS_DEPLOY_RUN_FOLDER:-/run/nixos-deploy}
LEASE_FILE=$RUN_FOLDER/lease
HOLD_FILE=$RUN_FOLDER/hold
GUARD_FOLDER=$RUN_FOLDER/guard
# Outlives one, as the list of what not to install again must.
STATE_FOLDER=/var/lib/nixos-deploy
KEPT_FOLDER=$STATE_FOLDER/guard
REJECTED_FILE=$STATE_FOLDER/rejected
DEPLOYED_FILE=$STATE_FOLDER/deployed
BEFORE_FILE=$STATE_FOLDER/before

# nixos-rebuild's own name, so that no two ever activate at the same time.
SWITCH_UNIT=nixos-rebuild-switch-to-configuration
UPGRADE_UNIT=nixos-upgrade
GUARD_UNIT=nixos-deploy-guard
CONFIRM_UNIT=nixos-deploy-confirm
CHECKS_UNIT=nixos-deploy-checks
ROLLBACK_UNIT=nixos-deploy-rollback
RESUME_UNIT=nixos-deploy-resume

# Whether a lease that ends at a unix time is in force. One that ends more than a day ahead is no lease but a clock that was
# wrong. Usage: in_force TIME
in_force() {
  local now
  now=$(date +%s)
  [[ $1 =~ ^[0-9]{1,12}$ ]] && ((10#$1 > now && 10#$1 < now + 86400))
}
