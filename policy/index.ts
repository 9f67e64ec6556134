import { readFileSync } from "node:fs";
import * as path from "node:path";
import { PolicyPack, type PolicyPackConfig } from "@pulumi/policy";
import { policies } from "./policies";

// What this project's stacks decide otherwise; a file that is given as --policy-pack-config decides before it.
const config = JSON.parse(readFileSync(path.join(__dirname, "config.json"), "utf8")) as PolicyPackConfig;

const known = ["all", ...policies.map(({ name }) => name)];
const unknown = Object.keys(config).filter((name) => !known.includes(name));
if (unknown.length > 0) {
  throw new Error(`config.json names rules that do not exist: ${unknown.join(", ")}. There are: ${known.join(", ")}.`);
}

new PolicyPack(
  "nixos",
  {
    displayName: "NixOS servers",
    description: "Rules for stacks of NixOS servers that keep themselves up to date from Git",
    policies,
  },
  config,
);
