/**
 * Runs the scanners that .ci/install-scanners.sh installs and compares what they find with .ci/accepted-findings.yaml:
 * `PATH=$(.ci/install-scanners.sh):$PATH npx tsx test/audit/scan.ts`. Exit code 1 if anything is to be done.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { parse } from "yaml";
import { WAIT_MILLISECONDS } from "../../cli/rehearse/limits.cjs";
import { type Accepted, type Finding, problems } from "./findings";

const ACCEPTED = ".ci/accepted-findings.yaml";

/** Runs a scanner; its findings are in what it prints, and its exit code says no more than that there are some. */
function scan(command: string, args: string[], endings: number[]): string {
  const { status, error, stdout, stderr } = spawnSync(command, args, {
    encoding: "utf8",
    maxBuffer: 256 * 1024 * 1024,
    timeout: WAIT_MILLISECONDS,
  });
  if (error) throw error;
  if (!endings.includes(status ?? -1)) throw new Error(`${command} ended with ${status}: ${stderr.slice(-2000)}`);
  return stdout;
}

/** Secrets in every revision: what was once pushed stays readable. */
function gitleaks(): Finding[] {
  interface Leak {
    RuleID: string;
    File: string;
    StartLine: number;
    Match: string;
  }
  const folder = mkdtempSync(path.join(tmpdir(), "gitleaks-"));
  try {
    const report = path.join(folder, "report.json");
    scan("gitleaks", ["git", "--no-banner", "--report-format", "json", "--report-path", report, "."], [0, 1]);
    const leaks = JSON.parse(readFileSync(report, "utf8")) as Leak[];
    return leaks.map(({ RuleID: rule, File: file, StartLine: line, Match: text }) => {
      return { scanner: "gitleaks", rule, file, line, text };
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Secrets in the files as they are, by the shapes of known tokens and by entropy. */
function detectSecrets(): Finding[] {
  interface Report {
    results: Record<string, { type: string; line_number: number }[]>;
  }
  // Left out: its detector of names like "password", which finds the code that handles secrets rather than secrets;
  // gitleaks judges such a name together with the value. And locks, which are nothing but hashes.
  const args = ["scan", "--no-verify", "--disable-plugin", "KeywordDetector"];
  args.push("--exclude-files", String.raw`(^|/)(package-lock\.json|flake\.lock|accepted-findings\.yaml)$`);
  const { results } = JSON.parse(scan("detect-secrets", args, [0])) as Report;
  return Object.entries(results).flatMap(([file, found]) => {
    const lines = readFileSync(file, "utf8").split("\n");
    return found.map(({ type: rule, line_number: line }) => {
      return { scanner: "detect-secrets", rule, file: path.normalize(file), line, text: lines[line - 1] ?? "" };
    });
  });
}

/** Weaknesses of the workflows, by its strictest rules. Offline: what it could ask GitHub needs a token. */
function zizmor(): Finding[] {
  interface Report {
    ident: string;
    locations: {
      symbolic: { key: { Local?: { verbatim_path: string } } };
      concrete: { location: { start_point: { row: number } } };
    }[];
  }
  const args = [
    "--offline",
    "--persona",
    "auditor",
    "--no-config",
    "--quiet",
    "--no-exit-codes",
    "--format",
    "json",
    ".github",
  ];
  const report = JSON.parse(scan("zizmor", args, [0])) as Report[];
  return report.map(({ ident: rule, locations }) => {
    const [{ symbolic, concrete } = locations[0]!] = locations;
    const file = path.normalize(symbolic.key.Local?.verbatim_path ?? "");
    return { scanner: "zizmor", rule, file, line: concrete.location.start_point.row + 1, text: "" };
  });
}

/** Weaknesses of the workflows, by another list of rules. */
function checkov(): Finding[] {
  interface Report {
    summary: { passed: number; parsing_errors: number };
    results: { failed_checks: { check_id: string; file_path: string; file_line_range?: number[] }[] };
  }
  const args = ["--framework", "github_actions", "--directory", ".github", "--compact", "--quiet", "--output", "json"];
  const { summary, results } = JSON.parse(scan("checkov", [...args, "--skip-download"], [0, 1])) as Report;
  // Where it finds no workflow it passes as well.
  if (!summary?.passed || summary.parsing_errors) throw new Error("checkov did not read the workflows");
  return results.failed_checks.map(({ check_id: rule, file_path, file_line_range }) => {
    const file = path.join(".github", file_path);
    return { scanner: "checkov", rule, file, line: file_line_range?.[0] ?? 1, text: "" };
  });
}

process.chdir(execFileSync("git", ["rev-parse", "--show-toplevel"], { encoding: "utf8" }).trim());
const accepted = parse(readFileSync(ACCEPTED, "utf8")) as Accepted[];
const findings = [gitleaks, detectSecrets, zizmor, checkov].flatMap((scanner) => {
  const found = scanner();
  console.log(`${scanner.name}: ${found.length} findings`);
  return found;
});
const wrong = problems(findings, accepted);
for (const problem of wrong) console.error(problem);
if (wrong.length > 0) console.error(`\nA finding that is none belongs in ${ACCEPTED}, with the reason.`);
process.exitCode = wrong.length > 0 ? 1 : 0;
