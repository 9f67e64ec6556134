import { spawn } from "node:child_process";
import net from "node:net";
import type { Context } from "mocha";
import { freePort } from "../../cli/rehearse/machine";
import { output } from "../../cli/rehearse/processes";
import { until } from "../../cli/rehearse/until";
import { requireCommands } from "../require";

/** Skips where there is no emulated AWS to write to. */
export function requireMoto(context: Context): void {
  requireCommands(context, "moto", "moto_server", "aws");
}

/** moto's server: S3 and SSM over HTTP, asked by the real AWS CLI. */
export interface Moto {
  url: string;
  /** What programs need in their environment to ask it. */
  env: NodeJS.ProcessEnv;
  aws: (...args: string[]) => Promise<string>;
  stop: () => Promise<void>;
}

const BASE = {
  AWS_ACCESS_KEY_ID: "none",
  AWS_SECRET_ACCESS_KEY: "none",
  AWS_REGION: "us-east-1",
  AWS_DEFAULT_REGION: "us-east-1",
};

/**
 * Starts it with a bucket `builds`. With `signed`, every later request must be signed with the key of a user: moto checks
 * the signature as AWS does, but takes none for a request whose parameters hold a slash, such as a listing of a folder.
 */
export async function startMoto({ signed }: { signed: boolean }): Promise<Moto> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const setUp = 4;
  const child = spawn("moto_server", ["-H", "127.0.0.1", "-p", String(port)], {
    env: { ...process.env, ...(signed ? { INITIAL_NO_AUTH_ACTION_COUNT: String(setUp) } : {}) },
    stdio: "ignore",
  });
  const env: NodeJS.ProcessEnv = {
    PATH: process.env["PATH"],
    HOME: process.env["HOME"],
    ...BASE,
    AWS_ENDPOINT_URL: url,
  };
  const aws = (...args: string[]) => output("aws", [...args, "--output", "json"], { env });
  await until("moto", () => answers(port));
  await aws("s3api", "create-bucket", "--bucket", "builds");
  if (!signed) {
    // For Nix: the one on Debian signs no requests.
    const all = {
      Effect: "Allow",
      Principal: "*",
      Action: "s3:*",
      Resource: ["arn:aws:s3:::builds", "arn:aws:s3:::builds/*"],
    };
    const policy = JSON.stringify({ Version: "2012-10-17", Statement: [all] });
    await aws("s3api", "put-bucket-policy", "--bucket", "builds", "--policy", policy);
  } else {
    await aws("iam", "create-user", "--user-name", "release");
    const policy = JSON.stringify({
      Version: "2012-10-17",
      Statement: [{ Effect: "Allow", Action: ["s3:*", "ssm:*"], Resource: "*" }],
    });
    await aws("iam", "put-user-policy", "--user-name", "release", "--policy-name", "own", "--policy-document", policy);
    const key = JSON.parse(await aws("iam", "create-access-key", "--user-name", "release")) as {
      AccessKey: { AccessKeyId: string; SecretAccessKey: string };
    };
    env["AWS_ACCESS_KEY_ID"] = key.AccessKey.AccessKeyId;
    env["AWS_SECRET_ACCESS_KEY"] = key.AccessKey.SecretAccessKey;
  }
  const ended = new Promise((resolve) => child.once("close", resolve));
  return {
    url,
    env,
    aws,
    stop: async () => {
      child.kill("SIGKILL");
      await ended;
    },
  };
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(port, "127.0.0.1");
    socket.once("connect", () => (socket.destroy(), resolve(true)));
    socket.once("error", () => resolve(false));
  });
}
