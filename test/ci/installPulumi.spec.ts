/**
 * `.ci/install-pulumi.sh` with a stand-in for Go, which notes what it is asked for and writes what it would build.
 * Cannot prove: that the modules build; `.ci/run` does, before everything else.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { findProgram } from "../../components/deploy/path.mjs";
import { ROOT } from "../../cli/rehearse/project";

const GO = `#!/bin/sh
echo "$*" >>"$ASKED"
while [ "$1" != -o ]; do shift; done
case $3 in *"$BREAKS") exit 1 ;; esac
echo "#!/bin/sh" >"$2\${3##*/}" && chmod +x "$2\${3##*/}"
`;

describe("installation of the engine", () => {
  let folder: string;
  let bin: string;
  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), "install-pulumi-"));
    bin = path.join(folder, "cache/pulumi-nixos/bin");
    mkdirSync(path.join(folder, "go"));
    writeFileSync(path.join(folder, "go/go"), GO, { mode: 0o755 });
    for (const part of ["install-pulumi.sh", "pulumi", "pulumi-yaml"])
      cpSync(path.join(ROOT, ".ci", part), path.join(folder, "ci", part), { recursive: true });
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const install = ({
    breaks = "nothing",
    PATH = [path.join(folder, "go"), process.env["PATH"]].join(path.delimiter),
  } = {}) => {
    const asked = path.join(folder, "asked");
    rmSync(asked, { force: true });
    const { status, stdout, stderr } = spawnSync("bash", [path.join(folder, "ci/install-pulumi.sh")], {
      encoding: "utf8",
      env: {
        PATH,
        XDG_CACHE_HOME: path.join(folder, "cache"),
        ASKED: asked,
        BREAKS: breaks,
      },
    });
    const builds = existsSync(asked) ? readFileSync(asked, "utf8").trimEnd().split("\n") : [];
    return { status, stdout, stderr, builds };
  };
  const kept = () => readdirSync(path.dirname(bin));

  it("builds the CLI and the YAML host once, each with its version, and prints their folder", () => {
    const first = install();
    assert.deepEqual([first.status, first.stdout], [0, `${bin}\n`], first.stderr);
    const [cli, yaml, ...more] = first.builds;
    assert.deepEqual(more, []);
    const version = (module: string, name: string) =>
      new RegExp(`${module} (v[0-9.]+)`).exec(readFileSync(path.join(ROOT, ".ci", name, "go.mod"), "utf8"))![1]!;
    const sdk = version("github.com/pulumi/pulumi/sdk/v3", "pulumi");
    assert.ok(cli!.includes(`sdk/v3/go/common/version.Version=${sdk} `), cli);
    assert.ok(yaml!.includes(`version.Version=${version("github.com/pulumi/pulumi-yaml", "pulumi-yaml")} `), yaml);
    for (const build of first.builds) assert.match(build, / -mod=readonly /);
    assert.deepEqual(readdirSync(bin).sort(), ["pulumi", "pulumi-language-yaml"]);
    assert.deepEqual(install(), { status: 0, stdout: `${bin}\n`, stderr: "", builds: [] });
  });

  it("builds again when the pins are others", () => {
    install();
    writeFileSync(path.join(folder, "ci/pulumi-yaml/go.sum"), "");
    assert.equal(install().builds.length, 2);
    assert.equal(install().builds.length, 0);
  });

  it("leaves nothing behind when a build fails, and keeps what was there", () => {
    assert.notEqual(install({ breaks: "/pulumi-language-yaml" }).status, 0);
    assert.deepEqual([readdirSync(bin), kept()], [[], ["bin"]]);
    install();
    writeFileSync(path.join(folder, "ci/pulumi/go.sum"), "");
    assert.notEqual(install({ breaks: "/pulumi-language-yaml" }).status, 0);
    assert.deepEqual(readdirSync(bin).sort(), ["pulumi", "pulumi-language-yaml"]);
    assert.equal(install().builds.length, 2);
  });

  it("says what to install where there is no Go", () => {
    const tools = path.join(folder, "tools");
    mkdirSync(tools);
    for (const name of ["bash", "dirname", "cat", "sha256sum"])
      symlinkSync(findProgram(process.env, name)!, path.join(tools, name));
    const { status, stderr } = install({ PATH: tools });
    assert.equal(status, 1);
    assert.match(stderr, /go is missing\. Install Go, or Pulumi itself/);
  });
});
