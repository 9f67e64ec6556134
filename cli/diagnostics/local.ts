import { checkAws } from "./aws";
import { checkGit } from "./git";
import { checkNix } from "./nix";
import { checkNode } from "./node";
import { checkPulumi } from "../common/pulumi";
import type { Result } from "../common/result";
import { checkSops } from "./sops";
import { checkSsh } from "./ssh";
import type { Context } from "../common/context";

/** What this computer has and may do, beside GitHub: the part that setup and doctor share. */
export async function checkLocal(
  context: Context,
  { branch, region, profile }: { branch: string; region: string; profile: string },
): Promise<Result[]> {
  const others = await Promise.all([
    checkNix(context),
    checkSsh(context).then(one),
    checkGit(context, branch),
    checkSops(context).then(one),
    checkPulumi(context),
    checkAws(context, region, profile).then(one),
  ]);
  return [checkNode(context), ...others.flat()];
}

function one(result: Result): Result[] {
  return [result];
}
