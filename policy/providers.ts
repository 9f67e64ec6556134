import { resourceRule } from "./rule";

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
