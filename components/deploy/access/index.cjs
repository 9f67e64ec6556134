// @ts-check
// The ways in which a machine learns what to run, each whole in a file of its own; nix/upgrade/access has the machine's
// half of each, by the same names. CommonJS, because components, commands and the deployment program all load it.

/**
 * @typedef {{ owner: string, name: string, branch: string }} Repository
 */

/**
 * A secret that the machine reads its repository with.
 * @typedef {object} AccessSecret
 * @property {string} name in nix/secrets.yaml
 * @property {string} what in a sentence
 * @property {string[]} store the commands that store one
 * @property {string[]} troubles kinds of trouble of the machine's that another secret would end
 * @property {string[]} afterUpdate what is left to do after the first update, as commands
 * @property {string} nextStep the same in a sentence, while there is none
 * @property {string} inPlaceOfDeployKeys why it is chosen where deploy keys are forbidden
 * @property {string} trouble the page of docs/
 */

/**
 * @typedef {object} Access
 * @property {(repository: Repository) => string} flake what the machine takes its system from
 * @property {boolean} needsDeployKey whether GitHub is given the machine's public key
 * @property {"commit" | "tarball"} fetches the files of the commit, or what GitHub makes of them
 * @property {(isOwn: boolean) => string | undefined} sshInputRefused why an input that is read by SSH is closed to it
 * @property {AccessSecret} [secret]
 */

const DEFAULT_ACCESS = "deploy-key";

/** @type {Record<string, Access>} */
const ACCESSES = {
  "deploy-key": require("./deployKey.cjs"),
  token: require("./token.cjs"),
};

/**
 * The way of a name. One that nobody knows, or none, is described as the usual one; whoever takes a name from a person has
 * refused it before.
 * @param {string | undefined} name
 * @returns {Access}
 */
function accessBy(name) {
  const known = name !== undefined && Object.hasOwn(ACCESSES, name) ? name : DEFAULT_ACCESS;
  return /** @type {Access} */ (ACCESSES[known]);
}

module.exports = { ACCESSES, DEFAULT_ACCESS, accessBy };
