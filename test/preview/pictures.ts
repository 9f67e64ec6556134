/**
 * Makes the pictures of docs/previews.md from golden/*.md. Run by hand where Chromium is installed:
 * `npx tsx test/preview/pictures.ts [FOLDER]`. The style sheet imitates GitHub's; the HTML is a Markdown library's.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { WAIT_MILLISECONDS } from "../../cli/rehearse/limits.cjs";
import { toHtml } from "./html";

const PICTURES: Record<string, { golden: string; height: number }> = {
  "preview-page": { golden: "page", height: 330 },
  "preview-instance-type": { golden: "instance-type", height: 205 },
  "preview-replace": { golden: "replace", height: 450 },
  "preview-broken-flake": { golden: "broken-flake", height: 400 },
  "preview-policies": { golden: "policies", height: 335 },
  "preview-no-effect": { golden: "no-effect", height: 217 },
};

const STYLE = `
  body { margin: 12px; font: 14px/1.5 "DejaVu Sans", sans-serif; color: #1f2328; background: #fff }
  main { border: 1px solid #d1d9e0; border-radius: 6px; padding: 4px 16px }
  h3 { font-size: 17px; margin: 12px 0 8px } h4 { font-size: 14px; margin: 14px 0 6px }
  p, details, pre, blockquote, ul { margin: 0 0 10px }
  code { font: 85% "DejaVu Sans Mono", monospace; background: #818b981f; border-radius: 6px; padding: 2px 5px }
  pre { background: #f6f8fa; border-radius: 6px; padding: 10px; overflow: hidden } pre code { background: none; padding: 0 }
  blockquote { border-left: 4px solid #d1d9e0; color: #59636e; padding: 0 14px } blockquote p { margin: 0 }
  .added { color: #116329; background: #dafbe1 } .removed { color: #82071e; background: #ffebe9 } a { color: #0969da }`;

function page(markdown: string): string {
  const html = toHtml(markdown).replace(/(?<=<code class="language-diff">)[^]*?(?=<\/code>)/g, (code) =>
    code.replace(/^\+.*$/gm, '<span class="added">$&</span>').replace(/^-.*$/gm, '<span class="removed">$&</span>'),
  );
  return `<!doctype html><meta charset="utf-8"><style>${STYLE}</style><main>${html}</main>`;
}

const target = path.resolve(process.argv[2] ?? path.join(__dirname, "../../docs/pictures"));
const folder = mkdtempSync(path.join(tmpdir(), "pictures-"));
try {
  mkdirSync(target, { recursive: true });
  for (const [name, { golden, height }] of Object.entries(PICTURES)) {
    const file = path.join(folder, `${name}.html`);
    writeFileSync(file, page(readFileSync(path.join(__dirname, "golden", `${golden}.md`), "utf8")));
    execFileSync(
      "chromium",
      [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--hide-scrollbars",
        `--user-data-dir=${path.join(folder, "profile")}`,
        `--window-size=860,${height}`,
        `--screenshot=${path.join(target, `${name}.png`)}`,
        `file://${file}`,
      ],
      { stdio: "ignore", timeout: WAIT_MILLISECONDS },
    );
    console.log(name);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
