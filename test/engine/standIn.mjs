// @ts-check
// Stands in for the deployment program, which needs a machine: notes that it was asked for and behaves as the test
// wants it. It is started by the command provider, emulated or real, instead of components/deploy/deploy.mjs.
import { createHash, randomBytes } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";

const folder = /** @type {string} */ (process.argv[2]);
const { DEPLOY_PRIVATE_KEY = "", ...environment } = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => name.startsWith("DEPLOY_")),
);
const number = fs.readdirSync(folder).filter((name) => name.endsWith(".json")).length + 1;
// The key only as a hash: what a deployment leaves behind is searched for keys afterwards.
const privateKeyHash = createHash("sha256").update(DEPLOY_PRIVATE_KEY).digest("hex");
const note = { pid: process.pid, environment, privateKeyHash, arguments: process.argv.slice(3) };
fs.writeFileSync(path.join(folder, `${String(number).padStart(3, "0")}.json`), JSON.stringify(note));

const file = path.join(folder, "behaviour");
const behaviour = () => (fs.existsSync(file) ? fs.readFileSync(file, "utf8") : "succeed");
process.stderr.write("wait    the machine is ready\n");
while (behaviour() === "hold") await sleep(50);
if (behaviour() === "fail") {
  process.stderr.write("The machine does not answer.\n");
  process.exit(1);
}
const systemPath = `/nix/store/${randomBytes(16).toString("hex")}-nixos-system-stand-in`;
process.stdout.write(`${JSON.stringify({ systemPath, changed: true, rebooted: false })}\n`);
