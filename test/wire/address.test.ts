import { describe, expect, it } from "vitest";
import { createNetworks, isNetwork, kindOfAddress } from "../../src/wire/address.ts";

const ADDRESSES: readonly (readonly [string, string])[] = [
  ["8.8.8.8", "public"],
  ["2606:4700:4700::1111", "public"],
  ["::ffff:8.8.8.8", "public"],
  ["64:ff9b::808:808", "public"],
  ["0.0.0.0", "unspecified"],
  ["0.1.2.3", "unspecified"],
  ["::", "unspecified"],
  ["127.0.0.1", "loopback"],
  ["127.255.255.254", "loopback"],
  ["::1", "loopback"],
  ["::ffff:127.0.0.1", "loopback"],
  ["::ffff:7f00:1", "loopback"],
  ["64:ff9b::7f00:1", "loopback"],
  ["10.0.0.1", "private"],
  ["172.16.0.1", "private"],
  ["172.31.255.255", "private"],
  ["192.168.0.1", "private"],
  ["::ffff:10.0.0.1", "private"],
  ["64:ff9b::10.0.0.1", "private"],
  ["169.254.1.1", "link-local"],
  ["fe80::1", "link-local"],
  ["fe80::1%eth0", "link-local"],
  ["fc00::1", "unique-local"],
  ["fd12:3456::1", "unique-local"],
  ["100.64.0.1", "shared"],
  ["100.127.255.255", "shared"],
  ["169.254.169.254", "metadata"],
  ["::ffff:169.254.169.254", "metadata"],
  ["64:ff9b::a9fe:a9fe", "metadata"],
  ["169.254.170.2", "metadata"],
  ["168.63.129.16", "metadata"],
  ["100.100.100.200", "metadata"],
  ["fd00:ec2::254", "metadata"],
  ["fd00:0ec2:0:0:0:0:0:254", "metadata"],
  ["fd20:ce::254", "metadata"],
  ["224.0.0.1", "multicast"],
  ["ff02::1", "multicast"],
  ["255.255.255.255", "reserved"],
  ["240.0.0.1", "reserved"],
  ["192.0.0.1", "reserved"],
  ["192.0.2.1", "reserved"],
  ["198.18.0.1", "reserved"],
  ["198.19.255.255", "reserved"],
  ["198.51.100.1", "reserved"],
  ["203.0.113.1", "reserved"],
  ["192.88.99.1", "reserved"],
  ["::127.0.0.1", "reserved"],
  ["::8.8.8.8", "reserved"],
  ["::ffff:0:127.0.0.1", "reserved"],
  ["64:ff9b:1::1", "reserved"],
  ["2002:7f00:1::1", "reserved"],
  ["2002:808:808::1", "reserved"],
  ["2001:0:4136:e378:8000:63bf:3fff:fdd2", "reserved"],
  ["2001:db8::1", "reserved"],
  ["2001:2::1", "reserved"],
  ["2001:10::1", "reserved"],
  ["3fff::1", "reserved"],
  ["100::1", "reserved"],
  ["fec0::1", "reserved"],
  ["4000::1", "reserved"],
  ["5f00::1", "reserved"],
  ["127.1", "invalid"],
  ["2130706433", "invalid"],
  ["0x7f000001", "invalid"],
  ["0177.0.0.1", "invalid"],
  ["localhost", "invalid"],
  ["", "invalid"],
];

it.each(ADDRESSES)("%s is %s", (address, kind) => {
  expect(kindOfAddress(address)).toBe(kind);
  expect(createNetworks([]).refuses(address)).toBe(kind === "public" ? undefined : kind);
});

describe("a network", () => {
  const networks = createNetworks(["10.1.0.0/16", "fd00::/8", "169.254.0.0/16", "64:ff9b::/96", "not/1"]);

  it("opens what is in it, however it is written", () => {
    expect(networks.refuses("10.1.2.3")).toBeUndefined();
    expect(networks.refuses("::ffff:10.1.2.3")).toBeUndefined();
    expect(networks.refuses("fd12::1")).toBeUndefined();
    expect(networks.refuses("169.254.1.1")).toBeUndefined();
  });

  it("opens nothing else", () => {
    expect(networks.refuses("10.2.0.1")).toBe("private");
    expect(networks.refuses("fc00::1")).toBe("unique-local");
    expect(networks.refuses("127.0.0.1")).toBe("loopback");
    expect(networks.refuses("nonsense")).toBe("invalid");
  });

  it("opens a cloud's metadata only when it is that alone", () => {
    expect(networks.refuses("169.254.169.254")).toBe("metadata");
    expect(networks.refuses("fd00:ec2::254")).toBe("metadata");
    expect(networks.refuses("64:ff9b::a9fe:a9fe")).toBe("metadata");
    expect(createNetworks(["169.254.169.254/32"]).refuses("169.254.169.254")).toBeUndefined();
    expect(createNetworks(["fd00:ec2::254/128"]).refuses("fd00:ec2::254")).toBeUndefined();
  });

  it.each([
    ["10.0.0.0/8", true],
    ["fd00::/8", true],
    ["10.0.0.0/33", false],
    ["fd00::/129", false],
    ["10.0.0.0", false],
    ["10/8", false],
    ["0x0a.0.0.0/8", false],
    ["/8", false],
  ])("%s is one: %s", (text, expected) => {
    expect(isNetwork(text)).toBe(expected);
  });
});
