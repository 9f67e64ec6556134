import * as pulumi from "@pulumi/pulumi";
import * as tls from "@pulumi/tls";
import { ageRecipient } from "./age";
import { type ValueRule, problem, quote } from "../values/errors";
import { publicKeyOf } from "./openssh";

/** The keys of a list of versions: the first is in use, a second one is kept beside it during a rotation. */
export interface KeyVersions {
  publicKeyOpenssh: pulumi.Output<string>;
  privateKeyOpenssh: pulumi.Output<string>;
  ageRecipient: pulumi.Output<string>;
  /** Of each version, in the order of the list. */
  publicKeysOpenssh: pulumi.Output<string[]>;
  ageRecipients: pulumi.Output<string[]>;
}

/** More than two at once would leave an old key valid that nobody thinks of any more. */
export const keyVersionNumbers: ValueRule<number[]> = (property, value) => {
  const fits =
    Array.isArray(value) &&
    (value.length === 1 || value.length === 2) &&
    value.every((number) => Number.isInteger(number) && number >= 1) &&
    new Set(value).size === value.length;
  if (fits) return [];
  return [
    problem(
      property,
      quote(value),
      "one or two different whole numbers from 1, the one in use first, such as [1] or [1, 2]",
      "`npm run secrets -- rotate` says which comes next.",
    ),
  ];
};

/** What may be chosen about the keys. */
export interface KeyChoices {
  /** A private key that is there already: version 1, instead of a new one. */
  adoptedKey?: pulumi.Input<string>;
  /** Whether the engine refuses to delete or replace the key in use. */
  protect?: boolean;
}

/**
 * Makes one ed25519 key for each version. Version 1 is called `name` and version N `name-N`, whatever their
 * place in the list: swapping the two during a rotation must keep both keys.
 */
export function createKeyVersions(
  name: string,
  versions: number[],
  { adoptedKey, protect }: KeyChoices,
  parent: pulumi.Resource,
): KeyVersions {
  const keys = versions.map((number, place) =>
    number === 1 && adoptedKey !== undefined
      ? adopted(adoptedKey)
      : new tls.PrivateKey(
          number === 1 ? name : `${name}-${number}`,
          { algorithm: "ED25519" },
          // Not the other one: the end of a rotation destroys it.
          { parent, protect: protect && place === 0 },
        ),
  );
  const publicKeys = keys.map((key) => key.publicKeyOpenssh.apply((publicKey) => publicKey.trim()));
  const recipients = publicKeys.map((publicKey) => publicKey.apply(ageRecipient));
  return {
    // From the key in use alone: one that is only being made must not make a preview show it as unknown.
    publicKeyOpenssh: publicKeys[0]!,
    ageRecipient: recipients[0]!,
    // The provider marks it secret too; under mocks it does not, and a secret must never depend on that.
    privateKeyOpenssh: pulumi.secret(keys[0]!.privateKeyOpenssh),
    publicKeysOpenssh: pulumi.all(publicKeys),
    ageRecipients: pulumi.all(recipients),
  };
}

function adopted(privateKey: pulumi.Input<string>): Pick<tls.PrivateKey, "privateKeyOpenssh" | "publicKeyOpenssh"> {
  // A newline at its end is lost where the key went through the stack's configuration, and ssh needs it.
  const privateKeyOpenssh = pulumi.secret(privateKey).apply((key) => `${key.trimEnd()}\n`);
  return { privateKeyOpenssh, publicKeyOpenssh: pulumi.unsecret(privateKeyOpenssh.apply(publicKeyOf)) };
}
