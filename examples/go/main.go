// One server, through the plugin; the same as examples/yaml and examples/python.
package main

import (
	"example.com/pulumi-nixos/sdk/go/nixos"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/config"
)

func main() {
	pulumi.Run(func(ctx *pulumi.Context) error {
		cfg := config.New(ctx, "")
		reviews := 1.0

		server, err := nixos.NewContinuousDeployment(ctx, "server", &nixos.ContinuousDeploymentArgs{
			Owner:          pulumi.String(cfg.Require("owner")),
			RepositoryName: pulumi.String(cfg.Require("repository")),
			Machine: &nixos.MachineSettingsArgs{
				InstanceType: pulumi.String("t3.small"),
				// Who may log in; the computer that runs `pulumi up` must be in it.
				SshCidrBlocks:     pulumi.StringArray{pulumi.String("203.0.113.0/24")},
				SshIpv6CidrBlocks: pulumi.StringArray{},
			},
			Repository: &nixos.RepositorySettingsArgs{
				Visibility:      pulumi.String("private"),
				RequiredReviews: &reviews,
			},
			Deployment: &nixos.DeploymentSettingsArgs{
				Flake: pulumi.String("path:../../nix#default"),
			},
		})
		if err != nil {
			return err
		}

		ctx.Export("url", server.Url)
		ctx.Export("sshCommand", server.SshCommand)
		ctx.Export("repositoryUrl", server.RepositoryUrl)
		ctx.Export("ageRecipient", server.AgeRecipient)
		ctx.Export("loginKey", server.LoginKey) // secret
		return nil
	})
}
