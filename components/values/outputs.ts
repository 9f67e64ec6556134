import * as pulumi from "@pulumi/pulumi";

/** The outputs of a component: its public fields are these and nothing else, as Pulumi's analyzer has it. */
export function outputsOf(component: pulumi.ComponentResource): pulumi.Inputs {
  const own = Object.entries(component).filter(([name]) => name !== "urn" && !name.startsWith("__"));
  return Object.fromEntries(own);
}
