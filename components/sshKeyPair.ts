import * as aws from "@pulumi/aws/ec2";
import * as pulumi from "@pulumi/pulumi";
import * as tls from "@pulumi/tls";
import { ageRecipient } from "./age";

/** Arguments of SshKeyPair. */
export interface SshKeyPairArgs {
  /**
   * Name of the EC2 key pair, unique in the account and region. A change replaces the key pair, not the key.
   * @default a name that Pulumi makes from the resource's name, with a random suffix
   */
  keyName?: pulumi.Input<string>;
}

/**
 * An ed25519 SSH key, known to EC2, that also serves as an age key.
 *
 * Destroying it destroys the only copy of the private key outside the machine.
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

  constructor(name: string, args: SshKeyPairArgs = {}, opts?: pulumi.ComponentResourceOptions) {
    super("nixos:index:SshKeyPair", name, args, opts);

    const key = new tls.PrivateKey(name, { algorithm: "ED25519" }, { parent: this });
    this.publicKeyOpenssh = key.publicKeyOpenssh.apply((publicKey) => publicKey.trim());
    // The provider marks it secret too; under mocks it does not, and a secret must never depend on that.
    this.privateKeyOpenssh = pulumi.secret(key.privateKeyOpenssh);
    this.ageRecipient = this.publicKeyOpenssh.apply(ageRecipient);

    const keyPair = new aws.KeyPair(
      `${name}-key-pair`,
      { keyName: args.keyName, publicKey: this.publicKeyOpenssh },
      { parent: this },
    );
    this.keyName = keyPair.keyName;

    this.registerOutputs({
      publicKeyOpenssh: this.publicKeyOpenssh,
      privateKeyOpenssh: this.privateKeyOpenssh,
      keyName: this.keyName,
      ageRecipient: this.ageRecipient,
    });
  }
}
