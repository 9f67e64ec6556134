"""One server, through the plugin; the same as examples/yaml and examples/go."""

import pulumi
import pulumi_nixos as nixos

config = pulumi.Config()

server = nixos.ContinuousDeployment(
    "server",
    owner=config.require("owner"),
    repository_name=config.require("repository"),
    machine=nixos.MachineSettingsArgs(
        instance_type="t3.small",
        # Who may log in; the computer that runs `pulumi up` must be in it.
        ssh_cidr_blocks=["203.0.113.0/24"],
        ssh_ipv6_cidr_blocks=[],
    ),
    repository=nixos.RepositorySettingsArgs(
        visibility="private",
        required_reviews=1,
    ),
    deployment=nixos.DeploymentSettingsArgs(flake="path:../../nix#default"),
)

pulumi.export("url", server.url)
pulumi.export("sshCommand", server.ssh_command)
pulumi.export("repositoryUrl", server.repository_url)
pulumi.export("ageRecipient", server.age_recipient)
pulumi.export("loginKey", server.login_key)  # secret
