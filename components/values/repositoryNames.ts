import { matching } from "./rules";
import { type ValueRule, problem, quote } from "./errors";

/** The two checks of the book, which .github/workflows/ci.yml reports as job names. */
export const REQUIRED_CHECKS = ["Evaluate flake.nix", "nixosConfig default"];

/** A GitHub user or organization; a user whom an enterprise manages has its short code at the end, `octocat_acme`. */
export const ownerName: ValueRule<string> = matching(
  /^(?=.{1,39}$)[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*(?:_[A-Za-z0-9]{3,8})?$/,
  "a GitHub user or organization: 1 to 39 letters, digits and single hyphens, none at an end",
);

/** A GitHub repository, without its owner. */
export const repositoryName: ValueRule<string> = (property, value) => {
  const allowed = "a GitHub repository name: 1 to 100 letters, digits, hyphens, dots and underscores";
  const form = matching(/^[A-Za-z0-9._-]{1,100}$/, allowed)(property, value);
  if (form.length > 0) return form;
  // GitHub reserves these, and would rewrite the last one.
  return value === "." || value === ".." || value.endsWith(".git") ? [problem(property, quote(value), allowed)] : [];
};

/**
 * A branch, as `git check-ref-format --branch` takes it, without wildcards, which would protect other branches, and
 * without what Git and Nix read as something else: a full reference, a revision.
 */
export const branchName: ValueRule<string> = matching(
  /^(?!refs\/|HEAD$|[0-9A-Fa-f]{40}(?:[0-9A-Fa-f]{24})?$|.*(?:\.\.|\/\/|\/\.|\.lock(?:\/|$)))[A-Za-z0-9_][A-Za-z0-9._/@+-]*(?<![./])$/,
  'a branch\'s plain name such as "main", without refs/heads/ and wildcards',
);

/** The names of required status checks: at least one, none empty, none twice. */
export const requiredCheckNames: ValueRule<string[]> = (property, value) => {
  const allowed = `at least one check name, each once, such as ${REQUIRED_CHECKS.map(quote).join(" and ")}`;
  if (!Array.isArray(value) || value.length === 0) {
    return [problem(property, quote(value), allowed, 'To protect nothing set branchProtection to "off".')];
  }
  const empty = value.some((name) => typeof name !== "string" || name.trim() === "");
  const twice = value.filter((name, index) => value.indexOf(name) !== index);
  return [
    ...(empty ? [problem(property, quote(value), allowed, "One of them is empty.")] : []),
    ...(!empty && twice.length > 0 ? [problem(property, quote(value), allowed, `Twice: ${quote(twice[0])}.`)] : []),
  ];
};
