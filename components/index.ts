export { BinaryCache, type BinaryCacheArgs } from "./binaryCache";
export { ContinuousDeployment, type ContinuousDeploymentArgs } from "./continuousDeployment";
export { type IntegrationSettings } from "./continuousIntegration";
export { GithubActionsAccess, type GithubActionsAccessArgs } from "./githubActionsAccess";
export { type DeploymentSettings, NixosDeployment, type NixosDeploymentArgs } from "./nixosDeployment";
export { type MachineSettings, NixosInstance, type NixosInstanceArgs } from "./nixosInstance";
export { ProtectedRepository, type ProtectedRepositoryArgs, type RepositorySettings } from "./protectedRepository";
export { SshKeyPair, type SshKeyPairArgs } from "./sshKeyPair";
