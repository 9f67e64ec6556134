import * as aws from "@pulumi/aws/ec2";
import * as pulumi from "@pulumi/pulumi";
import { ArgumentRules } from "./values/errors";
import { underNewNames, warnOfFormerNames } from "./values/formerNames";
import { outputsOf } from "./values/outputs";
import { createKeyVersions, keyVersionNumbers } from "./keys/keyVersions";
import { ed25519PrivateKey } from "./keys/openssh";

const FORMER_NAMES = { generations: "versions" };

/** Arguments of SshKeyPair. */
export interface SshKeyPairArgs {
  /**
   * Name of the EC2 key pair, unique in the account and region. A change replaces the key pair, not the key.
   * @default a name that Pulumi makes from the resource's name, with a random suffix
   */
  keyName?: pulumi.Input<string>;
  /**
   * Which versions of the key exist: one number, or two during a rotation, the one in use first. A rotation goes
   * from [1] to [1, 2] (the new key is made), [2, 1] (it is in use) and [2] (the old key is destroyed). The one in use
   * replaces the EC2 key pair, never a machine.
   * @default [1]
   */
  versions?: number[];
  /**
   * The name that `versions` had.
   * @deprecated in favour of `versions`
   * @default that of `versions`
   */
  generations?: number[];
  /**
   * An ed25519 private key (OpenSSH form) that a machine has already, as version 1 instead of a new key. A rotation
   * leads from it to keys that are made here. Secret.
   * @default none
   */
  adoptedKey?: pulumi.Input<string>;
  /**
   * Whether the engine refuses to delete or replace the key in use. The EC2 key pair is not protected: it has only the
   * public half, and every rotation replaces it.
   * @default false
   */
  protect?: boolean;
}

/**
 * An ed25519 SSH key, known to EC2, that also serves as an age key.
 *
 * Destroying it destroys the only copy of the private key outside the machine.
 *
 * @example
 * ```ts
 * const key = new SshKeyPair("server");
 * export const keyName = key.keyName;
 * export const recipient = key.ageRecipient; // for .sops.yaml
 * ```
 */
export class SshKeyPair extends pulumi.ComponentResource {
  /** Public half in OpenSSH form, `ssh-ed25519 AAAA…`, without a newline. */
  public readonly publicKeyOpenssh: pulumi.Output<string>;
  /** Private half in OpenSSH form, PEM with a newline at its end. Secret. */
  public readonly privateKeyOpenssh: pulumi.Output<string>;
  /** Name of the EC2 key pair. */
  public readonly keyName: pulumi.Output<string>;
  /** age recipient of the key (`age1…`): what SOPS encrypts for the machine. Not secret. */
  public readonly ageRecipient: pulumi.Output<string>;
  /** Public half of each version, in the order of `versions`. */
  public readonly publicKeysOpenssh: pulumi.Output<string[]>;
  /** age recipient of each version, in the order of `versions`. */
  public readonly ageRecipients: pulumi.Output<string[]>;

  /**
   * @param name name of the resource; the names of those beneath it in the cloud begin with it
   * @param args what is to be other than the defaults
   * @param opts options of Pulumi's; `transforms` reach the resources beneath (docs/packages.md)
   */
  constructor(name: string, args: SshKeyPairArgs = {}, opts?: pulumi.ComponentResourceOptions) {
    const { adoptedKey } = args;
    // The inputs of a component are kept in the state too.
    const inputs = adoptedKey === undefined ? args : { ...args, adoptedKey: pulumi.secret(adoptedKey) };
    super("nixos:index:SshKeyPair", name, inputs, opts);

    const { versions, ...choices } = checkedArgs(this, name, args);
    const keys = createKeyVersions(name, versions, choices, this);
    this.publicKeyOpenssh = keys.publicKeyOpenssh;
    this.privateKeyOpenssh = keys.privateKeyOpenssh;
    this.ageRecipient = keys.ageRecipient;
    this.publicKeysOpenssh = keys.publicKeysOpenssh;
    this.ageRecipients = keys.ageRecipients;

    const keyPair = new aws.KeyPair(
      `${name}-key-pair`,
      { keyName: args.keyName, publicKey: this.publicKeyOpenssh },
      { parent: this },
    );
    this.keyName = keyPair.keyName;

    this.registerOutputs(outputsOf(this));
  }
}

function checkedArgs(component: SshKeyPair, name: string, args: SshKeyPairArgs) {
  const checks = new ArgumentRules(component, `SshKeyPair ${JSON.stringify(name)}`);
  const { versions = [1] } = underNewNames(checks, args, FORMER_NAMES);
  const checked = {
    versions: checks.plain("versions", versions, keyVersionNumbers),
    adoptedKey:
      args.adoptedKey === undefined ? undefined : checks.input("adoptedKey", args.adoptedKey, ed25519PrivateKey),
    protect: args.protect,
  };
  checks.refuseProblems();
  warnOfFormerNames(component, [args, FORMER_NAMES]);
  return checked;
}
