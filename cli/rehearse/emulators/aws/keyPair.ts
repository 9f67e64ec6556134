import * as sshpk from "sshpk";
import type { ResourceType } from "../provider";
import { type Ec2, AwsError, newId, tagsAll } from "./ec2";

/** A key pair: EC2 keeps the public half that it is given. */
export function keyPair(ec2: Ec2): ResourceType {
  return {
    autoName: "keyName",
    inputs: {
      keyName: {
        type: "string",
        replaces: true,
        problem: (value: string) =>
          value.length > 255 ? "expected length of key_name to be in the range (0 - 255)" : undefined,
      },
      publicKey: { type: "string", required: true, replaces: true, same: sameTrimmed },
      region: { type: "string", replaces: true },
      tags: { type: "object" },
    },
    outputs: ["arn", "fingerprint", "keyPairId", "keyType", "tagsAll"],
    create(inputs) {
      const name = inputs["keyName"] as string;
      const publicKey = (inputs["publicKey"] as string).trim();
      const operation = `importing EC2 Key Pair (${name})`;
      const key = parsed(publicKey);
      if (key === undefined || !["ed25519", "rsa"].includes(key.type)) {
        throw new AwsError("InvalidKey.Format", "Key is not in valid OpenSSH public key format", operation);
      }
      if (ec2.keys.has(name)) throw new AwsError("InvalidKeyPair.Duplicate", "The keypair already exists", operation);
      const id = newId("key");
      ec2.keys.set(name, { id, publicKey });
      return {
        id: name,
        outputs: {
          publicKey,
          arn: ec2.arn(`key-pair/${name}`),
          fingerprint: key.fingerprint("sha256").toString("base64").replace("SHA256:", ""),
          keyPairId: id,
          keyType: key.type,
          ...tagsAll(inputs),
        },
      };
    },
    update: (_id, state, inputs) => ({ publicKey: state["publicKey"], ...tagsAll(inputs) }),
    read: (id) => (ec2.keys.has(id) ? {} : undefined),
    settings: (id) => ({ keyName: id, publicKey: ec2.keys.get(id)!.publicKey }),
    delete: (id) => void ec2.keys.delete(id),
  };
}

function sameTrimmed(old: unknown, current: unknown): boolean {
  return typeof old === "string" && typeof current === "string" && old.trim() === current.trim();
}

function parsed(publicKey: string): sshpk.Key | undefined {
  try {
    return sshpk.parseKey(publicKey, "ssh");
  } catch {
    return undefined;
  }
}
