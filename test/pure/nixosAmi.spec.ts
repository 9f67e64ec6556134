/**
 * nixosAmi.ts: releases, image ids, and the lookup's filters.
 * Cannot prove: that the NixOS project still publishes under this owner and name.
 */
import assert from "node:assert/strict";
import {
  amiId,
  DEFAULT_RELEASE,
  newestAmi,
  NIXOS_AMI_OWNER,
  nixosAmiFilters,
  nixosRelease,
} from "../../components/values/nixosAmi";

describe("nixosRelease", () => {
  for (const release of ["26.05", "26.11", "25.11"]) {
    it(`takes ${release}`, () => assert.deepEqual(nixosRelease("release", release), []));
  }

  for (const release of [
    "26.5",
    "latest",
    "",
    "26.06",
    "2026.05",
    "26.05\n",
    " 26.05",
    "26-05",
    "unstable",
    "26.05*",
  ]) {
    it(`refuses ${JSON.stringify(release)}`, () => {
      assert.deepEqual(nixosRelease("release", release), [
        `release: got ${JSON.stringify(release)}; allowed: a NixOS release, YY.05 or YY.11, such as "26.05".`,
      ]);
    });
  }

  it("takes the default", () => assert.deepEqual(nixosRelease("release", DEFAULT_RELEASE), []));
});

describe("amiId", () => {
  for (const id of ["ami-0123456789abcdef0", "ami-12345678"]) {
    it(`takes ${id}`, () => assert.deepEqual(amiId("amiId", id), []));
  }

  for (const id of [
    "",
    "ami-",
    "ami-123",
    "ami-0123456789ABCDEF0",
    "i-0123456789abcdef0",
    " ami-12345678",
    "ami-12345678\n",
  ]) {
    it(`refuses ${JSON.stringify(id)}`, () => {
      assert.deepEqual(amiId("amiId", id), [
        `amiId: got ${JSON.stringify(id)}; allowed: an image id such as "ami-0123456789abcdef0".`,
      ]);
    });
  }
});

describe("the lookup of an image", () => {
  it("asks the NixOS project's account", () => assert.equal(NIXOS_AMI_OWNER, "427812963091"));

  it("asks for the release's x86_64 images, without the test images beside them", () => {
    assert.deepEqual(nixosAmiFilters("26.05"), [
      { name: "name", values: ["nixos/26.05*"] },
      { name: "architecture", values: ["x86_64"] },
      { name: "state", values: ["available"] },
    ]);
  });

  it("takes the first, which is the newest", () => assert.equal(newestAmi(["ami-2", "ami-1"], "26.05"), "ami-2"));

  // Fault 21
  it("gives for an empty result a text that AWS refuses and that says what to do", () => {
    const text = newestAmi([], "26.05");
    assert.equal(text, "no-official-NixOS-26.05-image-in-this-region-so-set-amiId-or-another-release");
    assert.equal(amiId("amiId", text).length, 1);
  });
});
