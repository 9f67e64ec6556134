// The page that the machine serves: the real status program, nginx with the module's own locations, and a real browser.
// What it cannot prove: what NixOS's nginx module puts around those locations. PICTURES=FOLDER keeps the pictures.
import assert from "node:assert/strict";
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { chromium, type Browser, type BrowserContext, type BrowserContextOptions, type Page } from "playwright-core";
import { freePort, until } from "../../cli/rehearse/machine";
import { configured, evaluateModules, flakeFolder, nixMissing } from "../../cli/rehearse/upgrade/evaluate";
import { requireCommands, requireOrSkip } from "../require";
import { WAIT_MILLISECONDS } from "../../cli/rehearse/limits.cjs";
import { programs, script } from "../../cli/rehearse/upgrade/programs";

interface Location {
  root?: string;
  extraConfig: string;
}

const revision = "a5cc6f2c37bf518436dc8d1c288ccd0c43c2f4c4";
const newer = "56b24064fdcaedca53553b1a6d607fd23b613a24";

/** What state.json and probe.json hold in each state of the machine, at a time in seconds. */
function statesAt(now: number): Record<string, { state: object; probe?: object; headline: string; colour: string }> {
  // The status program runs on this computer, where no system is behind this link.
  const running = { system: "/run/current-system", revision, since: now - 86_400 };
  const current = { check: now - 20, success: now - 20, running, wanted: { revision, since: now - 86_400 } };
  const error = {
    kind: "build",
    summary: "the new revision cannot be built",
    message: "builder for '/nix/store/x' <script>alert(1)</script> & failed",
    at: now - 60,
    since: now - 600,
  };
  return {
    good: { state: current, headline: "Up to date", colour: "good" },
    waiting: { state: { check: now - 20, waiting: true }, headline: "Waiting", colour: "neutral" },
    failing: {
      state: {
        ...current,
        wanted: { revision: newer, since: now - 700 },
        error,
        failed: { revision: newer, kind: "build", retryAt: now + 3000 },
      },
      headline: "Needs attention",
      colour: "bad",
    },
    stale: {
      state: { ...current, wanted: { revision: newer, since: now - 7200 } },
      probe: { problems: [{ summary: "It does not run the newest revision.", message: "private" }] },
      headline: "Needs attention",
      colour: "bad",
    },
  };
}

/** As of now: a state from the start of the tests might be too old when its test comes. */
const states = () => statesAt(Math.floor(Date.now() / 1000));

function browserPath(): string | undefined {
  return ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find((file) =>
    fs.existsSync(file),
  );
}

describe("the page", () => {
  let folder: string;
  let url: string;
  let nginx: ChildProcess;
  let browser: Browser;

  before(async function () {
    requireOrSkip(this, "nix", nixMissing() === undefined, nixMissing() ?? "");
    requireCommands(this, "browser", "jq");
    const executablePath = browserPath();
    const found = executablePath !== undefined && fs.existsSync("/usr/sbin/nginx");
    requireOrSkip(
      this,
      "browser",
      found,
      "there is no Chromium or no nginx (Debian: apt-get install chromium nginx-light)",
    );
    folder = fs.mkdtempSync(path.join(os.tmpdir(), "page-"));
    // nginx's workers are another user's when root starts it.
    fs.chmodSync(folder, 0o755);
    const port = await freePort();
    url = `http://127.0.0.1:${port}/`;
    nginx = startNginx(port);
    await until("nginx", () =>
      fetch(url).then(
        () => true,
        () => false,
      ),
    );
    browser = await chromium.launch({ executablePath, args: ["--no-sandbox"], timeout: WAIT_MILLISECONDS });
  });
  after(async () => {
    await browser?.close();
    nginx?.kill();
    if (folder) fs.rmSync(folder, { recursive: true, force: true });
  });

  function startNginx(port: number): ChildProcess {
    fs.cpSync(path.join(flakeFolder, "www"), path.join(folder, "www"), { recursive: true });
    fs.mkdirSync(path.join(folder, "public"));
    const locations = evaluateModules("e.config.services.nginx.virtualHosts.default.locations", {
      pulumiNixos: { ...configured.pulumiNixos, web: { metrics: true } },
    }) as Record<string, Location>;
    const text = Object.entries(locations).map(
      ([name, { root, extraConfig }]) =>
        `location ${name} {\n${root ? `root ${root.replace("/run/nixos-upgrade", folder)};` : ""}\n${extraConfig}\n}`,
    );
    fs.writeFileSync(
      path.join(folder, "nginx.conf"),
      `daemon off; pid ${folder}/pid; error_log ${folder}/error.log;
       events {}
       http {
         include /etc/nginx/mime.types; default_type application/octet-stream; access_log off; server_tokens off;
         client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy; fastcgi_temp_path ${folder}/fastcgi;
         uwsgi_temp_path ${folder}/uwsgi; scgi_temp_path ${folder}/scgi;
         server { listen 127.0.0.1:${port}; root ${folder}/www;\n${text.join("\n")}\n}
       }`,
    );
    return spawn("/usr/sbin/nginx", ["-e", `${folder}/error.log`, "-c", `${folder}/nginx.conf`], { stdio: "inherit" });
  }

  /** Has the status program write what it says in this state. */
  function write(name: string, settings: Record<string, string> = {}): void {
    const { state, probe } = states()[name]!;
    const record = path.join(folder, "state");
    fs.mkdirSync(record, { recursive: true });
    fs.writeFileSync(path.join(record, "state.json"), JSON.stringify(state));
    fs.writeFileSync(path.join(record, "probe.json"), JSON.stringify(probe ?? {}));
    const program = programs(configured).find((candidate) => candidate.name === "nixos-upgrade-status")!;
    const text = script(program, {
      UPGRADE_COMMON: path.join(flakeFolder, "upgrade/common.sh"),
      UPGRADE_STATE: record,
      UPGRADE_PUBLIC: path.join(folder, "public"),
      NIXOS_DEPLOY_RUN_FOLDER: folder,
      ...settings,
    });
    const { status, stderr } = spawnSync("bash", ["-c", text], { encoding: "utf8" });
    assert.deepEqual([status, stderr], [0, ""]);
  }

  async function newContext(options: BrowserContextOptions = {}): Promise<BrowserContext> {
    const context = await browser.newContext(options);
    context.setDefaultTimeout(WAIT_MILLISECONDS);
    return context;
  }

  /** Opens the page and gives it to the test; every complaint of the browser is a failure. */
  async function open(options: BrowserContextOptions, use: (page: Page) => Promise<void>): Promise<void> {
    const context = await newContext({ viewport: { width: 1000, height: 800 }, ...options });
    try {
      const page = await context.newPage();
      const complaints: string[] = [];
      page.on("console", (message) => {
        if (["error", "warning"].includes(message.type())) complaints.push(message.text());
      });
      page.on("pageerror", (failure) => complaints.push(String(failure)));
      await page.goto(url);
      await use(page);
      assert.deepEqual(complaints, []);
    } finally {
      await context.close();
    }
  }

  async function picture(page: Page, name: string): Promise<void> {
    const target = process.env["PICTURES"];
    if (target) await page.screenshot({ path: path.join(target, `${name}.png`), fullPage: true });
  }

  for (const [name, { headline, colour }] of Object.entries(states())) {
    it(`says without JavaScript that the machine is ${name}`, async () => {
      write(name);
      await open({ javaScriptEnabled: false }, async (page) => {
        assert.equal(await page.locator("#status .summary strong").innerText(), headline);
        assert.match((await page.locator("#status").getAttribute("class")) ?? "", new RegExp(`\\b${colour}\\b`));
        assert.match(await page.locator("#status dl").innerText(), /Last check\s+\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC/);
        if (name !== "waiting") {
          const link = page.locator("#status a");
          assert.equal(await link.innerText(), revision.slice(0, 10));
          assert.equal(await link.getAttribute("href"), `https://github.com/octocat/site/commit/${revision}`);
          assert.match(await page.locator("#status dl").innerText(), /Running since/);
        }
        await picture(page, `${name}-plain`);
      });
    });

    for (const colorScheme of ["light", "dark"] as const) {
      it(`is readable in the ${colorScheme} when ${name}, on a phone too`, async () => {
        write(name);
        await open({ colorScheme }, async (page) => {
          for (const selector of [
            "h1",
            "#status .summary strong",
            "#status .summary span",
            "#status dt",
            "#status dd",
            ".hint",
            ".hint a",
          ]) {
            const ratio = await contrast(page, selector);
            assert.ok(ratio >= 4.5, `${selector}: contrast ${ratio.toFixed(2)}`);
          }
          await picture(page, `${name}-${colorScheme}`);
        });
        await open({ colorScheme, viewport: { width: 360, height: 740 }, isMobile: true }, async (page) => {
          const width = await page.evaluate("document.documentElement.scrollWidth");
          assert.equal(width, 360, "nothing sticks out");
          await picture(page, `${name}-${colorScheme}-phone`);
        });
      });
    }
  }

  it("keeps error texts to itself without the option, and shows them harmless with it", async () => {
    write("failing");
    const answers = await Promise.all(["", "status.json"].map(async (file) => (await fetch(url + file)).text()));
    assert.doesNotMatch(answers.join(), /builder for|alert|private/);

    write("failing", { UPGRADE_DETAILS: "true" });
    await open({}, async (page) => {
      const text = await page.locator("#status dl").innerText();
      assert.ok(text.includes("builder for '/nix/store/x' <script>alert(1)</script> & failed"), text);
    });
  });

  it("serves the metrics as the text that Prometheus reads, where that is on", async () => {
    write("failing");
    const answer = await fetch(`${url}metrics`);
    assert.equal(answer.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    assert.match(await answer.text(), /^nixos_upgrade_error\{kind="build"\} 1$/m);
  });

  it("leaves the link out where the repository's name is private", async () => {
    write("good", { UPGRADE_COMMIT_URL: "" });
    await open({}, async (page) => {
      assert.equal(await page.locator("#status a").count(), 0);
      assert.match(await page.locator("#status dl").innerText(), new RegExp(revision.slice(0, 10)));
    });
  });

  it("follows the machine while it is open", async () => {
    write("good");
    const context = await newContext();
    const page = await context.newPage();
    await page.clock.install({ time: new Date() });
    await page.goto(url);
    assert.match(await page.locator("#status dl").innerText(), /Running since\s+yesterday/);
    write("failing");
    await page.clock.runFor(16_000);
    await page.locator("#status.bad").waitFor();
    await context.close();
  });

  it("turns red by itself when the machine has stopped reporting", async () => {
    write("good");
    const context = await newContext();
    const page = await context.newPage();
    await page.clock.install({ time: new Date(Date.now() + 3_600_000) });
    await page.goto(url);
    assert.equal(await page.locator("#status.bad .summary span").innerText(), "The machine has stopped reporting.");
    await context.close();
  });

  it("works where no state was written", async () => {
    fs.rmSync(path.join(folder, "public"), { recursive: true });
    fs.mkdirSync(path.join(folder, "public"));
    await open({}, async (page) => {
      const text = await page.locator("body").innerText();
      assert.doesNotMatch(text, /error|404|nginx/i);
      assert.match(text, /A machine that follows its repository/);
    });
  });

  it("is served with the headers that lock it in, and the state is never kept by a cache", async () => {
    write("good");
    for (const [file, type, cache] of [
      ["", "text/html", "no-cache"],
      ["style.css", "text/css", "no-cache"],
      ["status.js", "javascript", "no-cache"],
      ["status.json", "application/json", "no-store"],
    ] as const) {
      const { status, headers } = await fetch(url + file);
      assert.equal(status, 200, file);
      assert.match(headers.get("content-type") ?? "", new RegExp(type));
      assert.equal(headers.get("cache-control"), cache);
      assert.match(headers.get("content-security-policy") ?? "", /^default-src 'none'/);
      assert.equal(headers.get("x-content-type-options"), "nosniff");
      assert.equal(headers.get("referrer-policy"), "no-referrer");
    }
    assert.equal((await fetch(`${url}status.html`)).status, 404);
  });
});

/** The contrast of an element's text with what is behind it, as WCAG counts it. */
async function contrast(page: Page, selector: string): Promise<number> {
  const [text, back] = await page.evaluate<[string, string]>(`(() => {
    const element = document.querySelector(${JSON.stringify(selector)});
    let behind = element;
    while (getComputedStyle(behind).backgroundColor === "rgba(0, 0, 0, 0)") behind = behind.parentElement;
    return [getComputedStyle(element).color, getComputedStyle(behind).backgroundColor];
  })()`);
  const luminance = (colour: string) => {
    const [red = 0, green = 0, blue = 0] = (colour.match(/[\d.]+/g) ?? []).slice(0, 3).map((part) => {
      const value = Number(part) / 255;
      return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const [low = 0, high = 0] = [luminance(text), luminance(back)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}
