/** The loopback bench: a machine on this computer, a client that deploys to it, and a bad network between them. */
export { canRunMachine, startMachine, freePort, type Machine, type MachineOptions } from "./machine";
export { startClient, type Client } from "./client";
export { Proxy, type ProxyMode } from "./proxy";
export { makeProject, type Project } from "./project";
export { makeKeyPair, type KeyPair } from "./keys";
export { findNix, type Nix } from "./nix";
export { Deployment, deploy, deploymentEnvironment, evaluate, type Inputs, type Setting } from "./deployment";
export { run, output, type Result } from "../processes";
export { until } from "../until";
export * from "./state";
