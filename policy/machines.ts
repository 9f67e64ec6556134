import { eachKnown, type Properties, resourceRule, securityHub } from "./rule";

const INSTANCE = "aws:ec2/instance:Instance";
const LAUNCH_TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate";
const EC2_CONTROLS = "https://docs.aws.amazon.com/securityhub/latest/userguide/ec2-controls.html";

export const metadataNeedToken = resourceRule({
  name: "metadata-need-token",
  description: "Instance metadata, and the keys in user data, should be given to requests with a token only",
  enforcementLevel: "mandatory",
  severity: "high",
  framework: securityHub("EC2.8", "EC2 instances should use Instance Metadata Service Version 2 (IMDSv2)"),
  tags: ["CIS AWS Foundations Benchmark v5.0.0/5.7", "CIS AWS Foundations Benchmark v3.0.0/5.6", "EC2.170"],
  remediationSteps: 'Set metadataOptions.httpTokens to "required", or use NixosInstance, which does.',
  url: `${EC2_CONTROLS}#ec2-8`,
  types: [INSTANCE, LAUNCH_TEMPLATE],
  // The machine's key is in its user data. A transform that gives the options anew may leave this one out.
  check: ({ props }, report) => {
    const { httpEndpoint, httpTokens } = metadataOptions(props);
    if (httpEndpoint === "disabled" || httpTokens === "required") return;
    report(`metadataOptions.httpTokens is ${shown(httpTokens)}, so any web page that the machine fetches can ask.`);
  },
});

export const volumesEncrypted = resourceRule({
  name: "volumes-encrypted",
  description: "Volumes of machines should be encrypted",
  enforcementLevel: "mandatory",
  severity: "high",
  framework: securityHub("EC2.3", "Attached Amazon EBS volumes should be encrypted at-rest"),
  remediationSteps: "Set encrypted to true. This makes the volume anew: copy what is on it first.",
  url: `${EC2_CONTROLS}#ec2-3`,
  types: [INSTANCE, LAUNCH_TEMPLATE, "aws:ebs/volume:Volume"],
  check: ({ type, props }, report) => {
    const unencrypted = (place: string, volume: Properties) => {
      // Launch templates know texts, too.
      if (![true, "true"].includes(volume["encrypted"] as string | boolean))
        report(`${place}encrypted is ${shown(volume["encrypted"])}.`);
    };
    if (type === INSTANCE) unencrypted("rootBlockDevice.", (props["rootBlockDevice"] ?? {}) as Properties);
    if (type === "aws:ebs/volume:Volume") unencrypted("", props);
    const further = type === LAUNCH_TEMPLATE ? "blockDeviceMappings" : "ebsBlockDevices";
    const devices = (props[further] ?? []) as Properties[];
    eachKnown([...devices.keys()], (at) => {
      const volume = type === LAUNCH_TEMPLATE ? (devices[at]!["ebs"] as Properties | undefined) : devices[at];
      if (volume !== undefined) unencrypted(`${further}[${at}].`, volume);
    });
  },
});

const COMPONENTS = ["nixos:index:NixosInstance"];

export const userDataFromComponent = resourceRule({
  name: "user-data-from-component",
  description: "User data, which hold the machine's key and run as root at every boot, should come from a component",
  enforcementLevel: "mandatory",
  severity: "high",
  remediationSteps:
    "Make the machine with NixosInstance: NixOS takes other user data for its own configuration, and a broken line " +
    "for a host key. For another component that writes user data, add its type to `components` of this rule.",
  url: "https://github.com/NixOS/nixpkgs/blob/nixos-26.05/nixos/modules/virtualisation/amazon-init.nix",
  configSchema: {
    properties: {
      components: {
        type: "array",
        items: { type: "string" },
        description: "Types of the components that may write user data.",
        default: COMPONENTS,
      },
    },
  },
  types: [INSTANCE, LAUNCH_TEMPLATE, "aws:ec2/spotInstanceRequest:SpotInstanceRequest"],
  check: ({ props, urn }, report, args) => {
    const given = ["userData", "userDataBase64"].filter((property) => property in props);
    const { components = COMPONENTS } = args.getConfig<{ components?: string[] }>();
    const parent = parentType(urn);
    if (given.length > 0 && !components.includes(parent ?? ""))
      report(`${given.join(" and ")} is written by ${parent ?? "the program itself"}.`);
  },
});

/** An instance has one block of them, a launch template too, and either may have none. */
function metadataOptions(props: Properties): Properties {
  return (props["metadataOptions"] ?? {}) as Properties;
}

/** The type of the component that a resource belongs to. */
function parentType(urn: string): string | undefined {
  return urn.split("::")[2]?.split("$").at(-2);
}

function shown(value: unknown): string {
  return value === undefined ? "not set" : JSON.stringify(value);
}
