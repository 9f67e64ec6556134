import assert from "node:assert/strict";
import path from "node:path";
import { checkAws, checkDefaultVpc } from "../../cli/diagnostics/aws";
import { checkGit, checkOrigin } from "../../cli/diagnostics/git";
import { githubRepository } from "../../components/deploy/revision.mjs";
import { githubClient } from "../../cli/common/github";
import { checkGithubOwner } from "../../cli/diagnostics/githubOwner";
import { checkGithubUser } from "../../cli/diagnostics/githubUser";
import { checkHostKeys, pinnedKeys } from "../../cli/diagnostics/hostKeys";
import { checkNix } from "../../cli/diagnostics/nix";
import { checkNode } from "../../cli/diagnostics/node";
import { checkPulumi } from "../../cli/common/pulumi";
import { checkReports, checkWorkflows } from "../../cli/diagnostics/requiredChecks";
import { failed, printed, type Result } from "../../cli/common/result";
import { checkSops } from "../../cli/diagnostics/sops";
import { checkSsh } from "../../cli/diagnostics/ssh";
import { requireCommands } from "../require";
import { TOKEN, Computer } from "./computer";

const one = (result: Result) => `${result.outcome} ${result.subject}: ${result.found}`;
const all = (results: Result[]) => results.map(one).join("\n");

// GitHub and AWS are a local server, and the programs are scripts: that they still answer like this is not shown here.
const LOCK = {
  nodes: {
    nixpkgs: { locked: { type: "github", owner: "NixOS", repo: "nixpkgs", rev: "a".repeat(40) } },
    root: { inputs: { nixpkgs: "nixpkgs" } },
  },
  root: "root",
};

describe("checks", () => {
  before(function () {
    requireCommands(this, "git", "git");
  });

  let computer: Computer;
  beforeEach(async () => {
    computer = (await Computer.start()).everythingWorks();
  });
  afterEach(() => computer.stop());

  it("prints what a program said without its control characters", () => {
    const text = printed([failed("x", "a\u001b[31mb\rc\u202e", "d")]);
    assert.equal(text, "  FAIL  x  ab\\rc\\u{202e}\n           -> d");
  });

  describe("Node", () => {
    it("takes what package.json takes", () => {
      assert.equal(checkNode(computer.surroundings({}, { nodeVersion: "20.20.0" })).outcome, "ok");
      const old = checkNode(computer.surroundings({}, { nodeVersion: "20.19.9" }));
      assert.equal(one(old), "failed Node: 20.19.9; needed: >=20.20");
    });
  });

  describe("programs", () => {
    it("names each that is missing, and what to do", async () => {
      const context = computer.surroundings();
      for (const name of ["nix", "ssh", "sops", "pulumi", "git"]) computer.without(name);
      const results = [
        ...(await checkNix(context)),
        await checkSsh(context),
        await checkSops(context),
        ...(await checkPulumi(context)),
        ...(await checkGit(context, "main")),
      ];
      assert.equal(
        all(results),
        [
          "failed Nix: nix was not found on PATH",
          "failed ssh: ssh was not found on PATH",
          "note sops: sops was not found on PATH, and neither was nix, which could bring it.",
          "failed Pulumi: not found",
          "failed git: git was not found on PATH",
        ].join("\n"),
      );
      assert.ok(results.every(({ remedy }) => remedy !== undefined));
    });

    it("takes no other sops than `npm run secrets` does", async () => {
      const found = async () => one(await checkSops(computer.surroundings()));
      computer.program("sops", "echo sops 3.11.0");
      assert.equal(await found(), "ok sops: sops 3.11.0");
      computer.program("sops", "echo sops 3.10.2");
      computer.without("nix");
      assert.equal(await found(), 'note sops: sops: got "sops 3.10.2"; allowed: 3.11 or newer.');
      computer.program("nix", "exit 0");
      computer.write("nix/flake.lock", JSON.stringify(LOCK));
      assert.equal(await found(), "ok sops: sops 3.10.2, too old; `npm run secrets` takes it from Nix");
    });

    it("ends a program that hangs, with what it started", async () => {
      computer.program("ssh", "sleep 3600 & wait");
      // It returns when nobody holds the pipe any more: sleep is gone too.
      const ran = await computer.surroundings().run("ssh", ["-V"], { timeoutSeconds: 0.3 });
      assert.equal(ran.timedOut, true);
    });
  });

  describe("Nix", () => {
    it("notes flakes that are off", async () => {
      computer.program(
        "nix",
        'case $1 in --version) echo "nix (Nix) 2.28.3" ;; *) echo "error: disabled" >&2; exit 1 ;; esac',
      );
      assert.match(all(await checkNix(computer.surroundings())), /^note flakes: off in your own nix\.conf$/m);
    });

    it("does not take a Nix that did not answer for one whose flakes are off", async () => {
      assert.match(all(await checkNix(computer.withHanging("eval"))), /^note flakes: nix did not answer in time$/m);
    });

    it("refuses a Nix from before flakes", async () => {
      computer.program("nix", 'echo "nix (Nix) 2.3.16"');
      assert.match(all(await checkNix(computer.surroundings())), /^failed flakes: .*2\.3\.16/m);
    });

    it("says on Apple Silicon what evaluates and what is built elsewhere", async () => {
      const results = await checkNix(computer.surroundings({}, { platform: "darwin", arch: "arm64" }));
      const note = results.find(({ subject }) => subject === "platform");
      assert.match(note?.found ?? "", /^Apple Silicon: evaluates nix\/, but cannot build x86_64-linux/);
      assert.match(note?.remedy ?? "", /built by the machine \(buildOn: host, the default\) or by a Linux builder/);
    });
  });

  describe("git", () => {
    it("is content with a clean repository", async () => {
      assert.match(all(await checkGit(computer.surroundings(), "main")), /^ok git: git version .*\nok commits: .*$/);
    });

    it("notes another branch and files that are not committed", async () => {
      computer.git("checkout", "--quiet", "-b", "topic");
      computer.write("new.txt", "");
      const text = all(await checkGit(computer.surroundings(), "main"));
      assert.match(text, /^note branch: topic is checked out; the machine follows main$/m);
      assert.match(text, /^note commits: 1 file is not committed$/m);
    });

    it("refuses a folder inside of another repository, and none", async () => {
      computer.write("inner/x", "");
      const inner = computer.surroundings({}, { folder: path.join(computer.project, "inner") });
      assert.match(all(await checkGit(inner, "main")), /^failed git: this folder is inside another repository/);
      const outside = computer.surroundings({}, { folder: computer.folder });
      assert.match(all(await checkGit(outside, "main")), /^failed git: fatal: not a git repository/);
    });

    for (const [argument, line] of [
      ["--porcelain", "failed commits"],
      ["symbolic-ref", "failed branch"],
      ["--show-toplevel", "failed git"],
    ] as const) {
      it(`takes no answer to ${argument} for no good one`, async () => {
        const text = all(await checkGit(computer.withHanging(argument), "main"));
        assert.ok(text.split("\n").includes(`${line}: git did not answer in time`), text);
      });
    }

    it("does not ask for a remote when git did not say which there are", async () => {
      const result = await checkOrigin(computer.withHanging("get-url"), "octo", "server");
      assert.equal(one(result), "failed origin: git did not answer in time");
    });

    for (const [url, outcome] of [
      ["git@github.com:octo/server.git", "ok"],
      ["https://user:secret@github.com/Octo/Server", "ok"],
      ["ssh://git@ssh.github.com:443/octo/server.git", "ok"],
      ["git@github.com:octo/other.git", "failed"],
      ["work:octo/server.git", "note"],
    ] as const) {
      it(`compares the origin ${url.replace("user:secret@", "…@")}`, async () => {
        computer.git("remote", "add", "origin", url);
        const result = await checkOrigin(computer.surroundings(), "octo", "server");
        assert.equal(result.outcome, outcome, one(result));
        assert.ok(!one(result).includes("secret"));
      });
    }

    it("asks for a remote where there is none", async () => {
      const result = await checkOrigin(computer.surroundings(), "octo", "server");
      assert.equal(result.remedy, "git remote add origin git@github.com:octo/server.git");
    });

    it("does not take another host for GitHub", () => {
      assert.equal(githubRepository("https://github.com.example.org/octo/server"), undefined);
      assert.equal(githubRepository("https://example.org/github.com/octo/server"), undefined);
    });
  });

  describe("AWS", () => {
    it("signs a request with the keys of the environment, and never sends the secret", async () => {
      const result = await checkAws(computer.surroundings({ AWS_SESSION_TOKEN: "session" }), "eu-west-1", "");
      assert.equal(one(result), "ok AWS: arn:aws:iam::123456789012:user/t (keys of the environment)");
      const [request] = computer.requests;
      const signature =
        /^AWS4-HMAC-SHA256 Credential=AKIATEST\/\d{8}\/eu-west-1\/sts\/aws4_request, SignedHeaders=.*, Signature=[0-9a-f]{64}$/;
      assert.match(request?.headers.authorization ?? "", signature);
      assert.equal(request?.headers["x-amz-security-token"], "session");
      assert.equal(request?.body, "Action=GetCallerIdentity&Version=2011-06-15");
      assert.ok(!JSON.stringify(computer.requests).includes("secretOfTheTest"));
    });

    for (const [code, status, remedy] of [
      ["InvalidClientTokenId", 403, /does not exist, was deleted/],
      ["SignatureDoesNotMatch", 403, /does not belong to AWS_ACCESS_KEY_ID, or this computer's clock/],
      ["ExpiredToken", 403, /expired/],
      ["InternalFailure", 500, /fault at AWS/],
    ] as const) {
      it(`says what to do after ${code}`, async () => {
        computer.replies.set("/sts/", { status, body: { Error: { Code: code } } });
        const result = await checkAws(computer.surroundings(), "us-east-1", "");
        assert.equal(one(result), `failed AWS: AWS refuses the keys of the environment (${status} ${code})`);
        assert.match(result.remedy ?? "", remedy);
      });
    }

    it("does not wait for ever", async () => {
      computer.replies.set("/sts/", "hang");
      const result = await checkAws(computer.surroundings({}, { patienceSeconds: 0.5 }), "us-east-1", "");
      assert.match(one(result), /^failed AWS: 127\.0\.0\.1:\d+: no answer within 0\.5 s$/);
    });

    const NO_KEYS = { AWS_ACCESS_KEY_ID: "", AWS_SECRET_ACCESS_KEY: "" };

    it("leaves profiles to the AWS CLI", async () => {
      computer.program("aws", 'echo "{ \\"Arn\\": \\"arn:of:$AWS_PROFILE\\" }"');
      const result = await checkAws(computer.surroundings(NO_KEYS), "us-east-1", "work");
      assert.equal(one(result), "ok AWS: arn:of:work (AWS CLI, profile work)");
    });

    // Fault 86
    it("asks with the profile of the configuration, as the provider does, and not with the keys beside it", async () => {
      computer.program("aws", 'echo "{ \\"Arn\\": \\"arn:of:$AWS_PROFILE:${AWS_ACCESS_KEY_ID-none}:$*\\" }"');
      const result = await checkAws(computer.surroundings(), "us-east-1", "prod");
      assert.match(
        one(result),
        /^ok AWS: arn:of:prod:none:.* --profile prod \(AWS CLI, profile prod; the keys in the environment are another identity, and not used\)$/,
      );
      assert.deepEqual(computer.requests, []);
    });

    it("does not take the keys of the environment for a profile that it cannot try", async () => {
      const result = await checkAws(computer.surroundings(), "us-east-1", "prod");
      assert.match(one(result), /^failed AWS: the profile prod .* only with the AWS CLI, which is not there; the keys/);
      assert.deepEqual(computer.requests, []);
    });

    it("says that keys in the environment go before AWS_PROFILE", async () => {
      const result = await checkAws(computer.surroundings({ AWS_PROFILE: "other" }), "us-east-1", "");
      assert.match(one(result), /\(keys of the environment, which go before AWS_PROFILE\)$/);
    });

    for (const region of ["cn-north-1", "us-gov-west-1", "us-iso-east-1", "eusc-de-east-1"]) {
      it(`says that ${region} has no NixOS images, and asks nobody`, async () => {
        const result = await checkAws(computer.surroundings(), region, "");
        assert.match(one(result), /^failed AWS: \S+ is in a partition of AWS .*NixOS publishes no images$/);
        assert.deepEqual(computer.requests, []);
      });
    }

    // The answers are shaped as in EC2's reference of the API.
    const vpcs = (items: string) => ({
      body: `<DescribeVpcsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><vpcSet>${items}</vpcSet></DescribeVpcsResponse>`,
    });
    for (const [what, reply, expected] of [
      ["there", vpcs("<item><vpcId>vpc-0a1b</vpcId></item>"), "ok default VPC: vpc-0a1b in us-east-1"],
      [
        "missing",
        vpcs(""),
        "failed default VPC: us-east-1 has none, and no subnet is configured: an update would end with VPCIdNotSpecified",
      ],
      [
        "not theirs to know",
        {
          status: 403,
          body: "<Response><Errors><Error><Code>UnauthorizedOperation</Code></Error></Errors></Response>",
        },
        "skipped default VPC: AWS did not tell whether us-east-1 has one: UnauthorizedOperation",
      ],
      [
        "a proxy's page",
        { body: "<html>" },
        "skipped default VPC: AWS did not tell whether us-east-1 has one: status 200",
      ],
    ] as const) {
      it(`says of a default VPC that is ${what}`, async () => {
        computer.replies.set("/ec2/", reply);
        assert.equal(one(await checkDefaultVpc(computer.surroundings(), "us-east-1", "")), expected);
      });
    }

    it("asks the AWS CLI for the default VPC of a profile, without the keys beside it", async () => {
      computer.program("aws", '[[ -z ${AWS_ACCESS_KEY_ID-} && $* == *"--profile prod" ]] && echo vpc-7');
      const result = await checkDefaultVpc(computer.surroundings(), "eu-west-1", "prod");
      assert.equal(one(result), "ok default VPC: vpc-7 in eu-west-1");
      assert.deepEqual(computer.requests, []);
    });

    it("says what it looked at", async () => {
      computer.write("../.aws/credentials", "[default]\n");
      const result = await checkAws(computer.surroundings(NO_KEYS), "us-east-1", "");
      assert.match(
        one(result),
        /AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set; .*credentials is there, but can be tried only with the AWS CLI; there is no AWS CLI$/,
      );
    });

    it("says that half of the keys is missing", async () => {
      const result = await checkAws(computer.surroundings({ AWS_SECRET_ACCESS_KEY: "" }), "us-east-1", "");
      assert.match(one(result), /only one is set/);
    });
  });

  describe("GitHub", () => {
    const client = (env: NodeJS.ProcessEnv = {}) => githubClient(computer.surroundings(env));
    const owner = async (name: string) => {
      const github = await client();
      return checkGithubOwner(github, await checkGithubUser(github), name, "server");
    };

    it("takes the token of the GitHub CLI where the environment has none", async () => {
      computer.program("gh", `[[ $* == "auth token --hostname github.com" ]] && echo ${TOKEN}`);
      const user = await checkGithubUser(await client({ GITHUB_TOKEN: "" }));
      assert.match(all(user.results), /^ok GitHub: octo \(token from the GitHub CLI\)$/m);
    });

    it("asks for a token where there is none, and sends nothing", async () => {
      const user = await checkGithubUser(await client({ GITHUB_TOKEN: "" }));
      assert.match(all(user.results), /^failed GitHub: no usable token/);
      assert.equal(computer.requests.length, 0);
    });

    it("refuses a token of several lines without printing it", async () => {
      const user = await checkGithubUser(await client({ GITHUB_TOKEN: `${TOKEN}\nx` }));
      assert.match(all(user.results), /^failed GitHub: no usable token/);
      assert.ok(!all(user.results).includes(TOKEN));
    });

    for (const url of [
      "https://github.example.com/api/v3",
      "https://api.acme.ghe.com",
      "https://api.github.com.example.com",
      "x",
    ]) {
      // Fault 87
      it(`asks no other server than github.com, where the machine's repository is: ${url}`, async () => {
        const other = await client({ GITHUB_BASE_URL: url });
        const user = await checkGithubUser(other);
        assert.match(
          all(user.results),
          /^failed GitHub: GITHUB_BASE_URL: got .*Enterprise Server and \*\.ghe\.com are not supported/,
        );
        assert.deepEqual((await checkGithubOwner(other, user, "octo", "server")).results, []);
        const own = await checkGithubUser(await client({ GITHUB_API_URL: url }));
        assert.match(all(own.results), /^failed GitHub: GITHUB_API_URL: got /);
      });
    }

    describe("with a GitHub App's token", () => {
      const APP = { status: 403, body: { message: "Resource not accessible by integration" } };
      beforeEach(() => {
        computer.replies.set("/user", APP);
        computer.replies.set("/installation/repositories", { body: { total_count: 1 } });
      });

      // Fault 88
      it("goes on with the owner and the repository, which an app may see", async () => {
        computer.organization("acme", { deploy_keys_enabled_for_repositories: true });
        computer.replies.set("/repos/acme/server", { body: { visibility: "private", permissions: { admin: false } } });
        const github = await client();
        const user = await checkGithubUser(github);
        assert.equal(
          all(user.results),
          "note GitHub: a GitHub App's token (from GITHUB_TOKEN); it does not tell what it may do",
        );
        const facts = await checkGithubOwner(github, user, "acme", "server");
        assert.match(all(facts.results), /^ok deploy keys: acme allows them$/m);
        assert.match(all(facts.results), /^ok repository: acme\/server is there \(private\)$/m);
        assert.ok(
          facts.results.every(({ outcome }) => outcome !== "failed"),
          all(facts.results),
        );
      });

      it("says what is wrong with it where it is", async () => {
        computer.replies.set("/installation/repositories", { status: 401, body: { message: "Bad credentials" } });
        assert.match(
          all((await checkGithubUser(await client())).results),
          /^failed GitHub: .*\(401: Bad credentials\).*GitHub App's token/,
        );
      });
    });

    it("asks for the scope repo of a classic token", async () => {
      computer.replies.set("/user", { body: { login: "octo" }, headers: { "x-oauth-scopes": "gist, public_repo" } });
      const user = await checkGithubUser(await client());
      assert.match(all(user.results), /^failed GitHub scopes: gist, public_repo$/m);
    });

    it("notes that a fine-grained token does not tell, and when it ends", async () => {
      const soon = new Date(Date.now() + 3 * 86400 * 1000)
        .toISOString()
        .replace("T", " ")
        .replace(/\.\d+Z/, " UTC");
      const headers = { "github-authentication-token-expiration": soon };
      computer.replies.set("/user", { body: { login: "octo" }, headers });
      const user = await checkGithubUser(await client());
      assert.match(all(user.results), /^note GitHub scopes: a fine-grained token/m);
      assert.match(all(user.results), new RegExp(`^note GitHub token: ends at ${soon}$`, "m"));
    });

    it("notes that somebody else's account takes only what exists", async () => {
      computer.replies.set("/users/mona", { body: { type: "User" } });
      assert.match(all((await owner("mona")).results), /^note owner: mona is another user than the token's, octo$/m);
    });

    for (const [setting, deployKeys, outcome] of [
      [true, "allowed", "ok"],
      [false, "forbidden", "note"],
      [undefined, "unknown", "note"],
    ] as const) {
      it(`tells deploy keys from an organization's setting ${setting}`, async () => {
        computer.organization("acme", { plan: { name: "team" }, deploy_keys_enabled_for_repositories: setting });
        const facts = await owner("acme");
        assert.equal(facts.deployKeys, deployKeys);
        assert.equal(facts.plan, "paid");
        assert.match(all(facts.results), new RegExp(`^${outcome} deploy keys:`, "m"));
      });
    }

    it("names what a repository that was renamed is called now", async () => {
      computer.replies.set("/repos/octo/server", { body: { full_name: "acme/new-name", visibility: "private" } });
      assert.match(
        all((await owner("octo")).results),
        /^failed repository: octo\/server was renamed .* is now acme\/new-name$/m,
      );
    });

    it("refuses a repository that is archived, or that the token may not administer", async () => {
      computer.replies.set("/repos/octo/server", { body: { archived: true } });
      assert.match(all((await owner("octo")).results), /^failed repository: octo\/server is archived/m);
      computer.replies.set("/repos/octo/server", { body: { permissions: { admin: false } } });
      assert.match(all((await owner("octo")).results), /^failed repository: the token may not administer/m);
    });

    it("does not take a fault for a repository that is not there", async () => {
      computer.replies.set("/repos/octo/server", { status: 500 });
      const facts = await owner("octo");
      assert.equal(facts.repository, undefined);
      assert.match(all(facts.results), /^failed repository: octo\/server: GitHub answers with status 500$/m);
    });
  });

  describe("host keys", () => {
    const published = () => pinnedKeys(computer.read("nix/upgrade/github-known-hosts"));
    const check = async (keys: string[]) => {
      computer.replies.set("/meta", { body: { ssh_keys: keys } });
      return one(await checkHostKeys(await githubClient(computer.surroundings()), computer.project));
    };

    it("are those that GitHub publishes", async () => {
      assert.equal(published().length, 3);
      assert.match(await check(published()), /^ok host keys: the 3 of/);
    });

    it("refuses one that GitHub does not publish", async () => {
      assert.match(
        await check(published().slice(1)),
        /^failed host keys: .* has 1 that GitHub does not publish: ssh-ed25519$/,
      );
    });

    it("asks for one that is missing", async () => {
      assert.match(
        await check([...published(), "ssh-new AAAA"]),
        /^failed host keys: GitHub publishes 1 that .* has not: ssh-new$/,
      );
    });

    it("are not compared where GitHub does not answer", async () => {
      const result = await checkHostKeys(await githubClient(computer.surroundings()), computer.project);
      assert.equal(result.outcome, "skipped");
    });
  });

  describe("required checks", () => {
    const REQUIRED = ["Evaluate flake.nix", "nixosConfig default"];
    const reports = async () => {
      const github = await githubClient(computer.surroundings());
      return one(await checkReports(github, "octo/server", "main", REQUIRED));
    };
    const tip = "1234567890123456789012345678901234567890";
    const at = `/repos/octo/server/commits/${tip}`;
    const ref = "/repos/octo/server/git/ref/heads/main";
    beforeEach(() =>
      computer.replies.set(ref, { body: { ref: "refs/heads/main", object: { type: "commit", sha: tip } } }),
    );

    it("are jobs of this project's workflows", () => {
      assert.equal(checkWorkflows(computer.project, REQUIRED).outcome, "ok");
      assert.match(one(checkWorkflows(computer.project, ["Lint"])), /^note workflows: no job .* is named "Lint"$/);
    });

    it("were reported, as check runs or as statuses", async () => {
      computer.replies.set(`${at}/check-runs`, { body: { check_runs: [{ name: REQUIRED[0] }] } });
      computer.replies.set(`${at}/status`, { body: { statuses: [{ context: REQUIRED[1] }] } });
      assert.match(await reports(), /^ok required checks: all 2/);
    });

    it("lock the branch when one of them was not", async () => {
      computer.replies.set(`${at}/check-runs`, { body: { check_runs: [{ name: REQUIRED[0] }] } });
      assert.match(await reports(), /^failed required checks: "nixosConfig default": not reported/);
    });

    it("cannot have been before the first push", async () => {
      computer.replies.set(ref, { status: 409, body: { message: "Git Repository is empty." } });
      assert.match(await reports(), /^skipped required checks: nothing was pushed to main yet$/);
    });

    it("are not those of a tag that is called like the branch", async () => {
      computer.replies.set(ref, { body: [{ ref: "refs/heads/main-2", object: { type: "commit", sha: tip } }] });
      assert.match(await reports(), /^failed required checks: GitHub answers with a list of 1/);
    });

    it("are not called missing when GitHub limits the requests", async () => {
      computer.replies.set(ref, { status: 403, body: { message: "You have exceeded a secondary rate limit." } });
      assert.match(
        await reports(),
        /^skipped required checks: not asked: GitHub asks for fewer requests \(403: You have/,
      );
    });
  });

  describe("Pulumi", () => {
    it("shows who is logged in where", async () => {
      assert.equal(
        all(await checkPulumi(computer.surroundings())),
        "ok Pulumi: v3.200.0\nok Pulumi state: t at file://~",
      );
    });

    it("does not take the download of the CLI for the reason of what came after it", async () => {
      const words = "echo 'Downloading pulumi v3.259.0...' >&2; echo 'error: no space left on device' >&2; exit 1";
      computer.program("pulumi", words);
      assert.equal(one((await checkPulumi(computer.surroundings()))[0]!), "failed Pulumi: no space left on device");
    });

    it("asks for a login", async () => {
      computer.program(
        "pulumi",
        '[[ $1 == version ]] && echo v3 || { echo "error: PULUMI_ACCESS_TOKEN must be set" >&2; exit 1; }',
      );
      const [, state] = await checkPulumi(computer.surroundings());
      assert.equal(one(state!), "failed Pulumi state: not logged in (PULUMI_ACCESS_TOKEN must be set)");
    });

    it("prefers an installed CLI to the one that its package downloads", async () => {
      computer.write("node_modules/.bin/pulumi", "");
      const PATH = `${path.join(computer.project, "node_modules", ".bin")}:${computer.bin}`;
      assert.match(all(await checkPulumi(computer.surroundings({ PATH }))), /^ok Pulumi: v3\.200\.0$/m);
    });
  });
});
