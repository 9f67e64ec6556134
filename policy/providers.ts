import { resourceRule, stackRule } from "./rule";

const PROVIDER = /^pulumi:providers:(?<name>.+)$/;
/** The generations that the components are written for. */
const VERSIONS = { aws: 7, command: 1, github: 6, tls: 5 };
const ABOUT_VERSIONS = "https://www.pulumi.com/docs/iac/concepts/providers/";

export const providerVersions = resourceRule({
  name: "provider-versions",
  description: "Providers should be of the generation that the components are written for, and no stray release",
  enforcementLevel: "mandatory",
  severity: "medium",
  remediationSteps:
    "Pin the provider's package exactly, in package.json or by the option version. For a new generation, set `versions` " +
    "of this rule.",
  url: ABOUT_VERSIONS,
  configSchema: {
    properties: {
      versions: {
        type: "object",
        additionalProperties: { type: "integer" },
        description: "First number of the version, by provider. Others are not looked at.",
        default: VERSIONS,
      },
    },
  },
  types: PROVIDER,
  check: ({ type, props }, report, args) => {
    const { versions = VERSIONS } = args.getConfig<{ versions?: Record<string, number> }>();
    const name = PROVIDER.exec(type)!.groups!["name"]!;
    const wanted = (versions as Record<string, number>)[name];
    const version = props["version"] as string | undefined;
    if (wanted === undefined || version?.replace(/^v/, "").startsWith(`${wanted}.`)) return;
    report(
      version === undefined
        ? `No version of ${name} is pinned: the newest one that is installed is taken.`
        : `${name} ${version} is used, expected is ${wanted}.x.`,
    );
  },
});

export const oneVersionOfEachProvider = stackRule({
  name: "one-version-of-each-provider",
  description: "Each provider should be used in one version: two have two sets of credentials and settings",
  enforcementLevel: "advisory",
  severity: "low",
  remediationSteps: "Run `npm dedupe`, or pin the package in package.json so that all its users get the same.",
  url: ABOUT_VERSIONS,
  check: (resources, report) => {
    const providers = resources.filter(({ type }) => PROVIDER.test(type));
    for (const type of new Set(providers.map((provider) => provider.type))) {
      const same = providers.filter((provider) => provider.type === type);
      const versions = [...new Set(same.map(({ props }) => props["version"] as string | undefined))];
      if (versions.length > 1) report(same[0]!, `There are ${versions.join(", ")}.`);
    }
  },
});
