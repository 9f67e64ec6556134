import { checkAws } from "./aws";
import { checkGit } from "./git";
import { checkNix } from "./nix";
import { checkNode } from "./node";
import { checkPulumi } from "../common/pulumi";
import type { Result } from "../common/result";
import { checkSops } from "./sops";
import { checkSsh } from "./ssh";
import type { Surroundings } from "../common/context";

/** What this computer has and may do, beside GitHub: the part that setup and doctor share. */
export async function checkLocal(
  around: Surroundings,
  { branch, region, profile }: { branch: string; region: string; profile: string },
): Promise<Result[]> {
  const others = await Promise.all([
    checkNix(around),
    checkSsh(around).then(one),
    checkGit(around, branch),
    checkSops(around).then(one),
    checkPulumi(around),
    checkAws(around, region, profile).then(one),
  ]);
  return [checkNode(around), ...others.flat()];
}

function one(result: Result): Result[] {
  return [result];
}
