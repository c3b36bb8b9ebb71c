"""Security groups of AWS: which are in use, and whom their rules let in."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from golive.environments import Environment, SecurityGroup
from golive.probes.platform.aws_clients import asking
from golive.probes.transport.rights import permitted
from golive.probing import probe
from golive.verdicts import ProbeError, Unseen, unseen_among

_ANYBODY = {4: 7, 6: 15}
"""A network with so short a prefix is half the internet, which two rules would make whole."""
_WEB = frozenset({"tcp", "udp", "6", "17"})
"""HTTP/3 is spoken over UDP."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Whom one rule of a group lets in, and where."""

    group: str
    region: str
    protocol: str
    """``-1`` is every one."""
    first: int
    last: int
    source: str
    """A network, the name of a group, or the id of a prefix list."""
    source_is_group: bool
    is_open: bool | Unseen
    """Whether anybody on the internet is let in."""

    def covers(self, port: int) -> bool:
        """Whether it lets in TCP connections to a port."""
        return self.protocol in {"tcp", "6", "-1"} and self.first <= port <= self.last

    def __str__(self) -> str:
        ports = f"{self.first}-{self.last}" if self.first != self.last else str(self.first)
        what = "everything" if self.protocol == "-1" else f"{self.protocol} {ports}"
        return f"{self.group} ({self.region}): {what} from {self.source}"


@dataclass(frozen=True, slots=True)
class SecurityGroups:
    """Groups that a network interface has, and their rules."""

    regions: tuple[str, ...]
    interfaces: int
    in_use: tuple[str, ...]
    rules: tuple[Rule, ...]
    not_public: tuple[Rule, ...]
    """Rules beside the web ports of public groups: nobody of these may be anybody."""
    guarded: tuple[str, ...]
    """Ports of databases, poolers and caches that were looked at, by group."""
    unlike_declared: tuple[str, ...]
    """Rules that let others than the declared groups in at a guarded port."""
    public_addresses: tuple[str, ...]
    """By which the internet reaches an interface."""

    @property
    def open_to_anybody(self) -> list[str] | Unseen:
        """Rules that let anybody in where only some may."""
        found = [str(r) for r in self.not_public if r.is_open is True]
        unseen = unseen_among(r.is_open for r in self.not_public)
        return found if found or unseen is None else unseen


@dataclass(frozen=True, slots=True)
class _Region:
    name: str
    groups: dict[str, Any]
    interfaces: list[Any]
    lists: dict[str, bool | Unseen]
    """Whether a prefix list has all the internet in it, by id."""


@probe()
def security_groups(env: Environment) -> SecurityGroups:
    """Every network interface with its groups, and those groups' rules for who may come in."""
    declared = {g.name: g for g in env.network.groups}
    regions = env.network.regions or _enabled(env)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda region: _region(env, region), regions))
    in_use: set[str] = set()
    rules: list[Rule] = []
    guarded: dict[str, None] = {}
    unlike: dict[str, None] = {}
    for one in found:
        names = {i: _name(i, g, declared) for i, g in one.groups.items()}
        ours = {i: list(_rules(one, i, names)) for i in _used(one)}
        in_use |= {names.get(i, i) for i in ours}
        rules += [rule for of in ours.values() for rule in of]
        for interface in one.interfaces:
            ids = [g["GroupId"] for g in interface.get("Groups", [])]
            # An interface's groups add up: another one may let in whom the declared one does not.
            beside = [rule for i in ids for rule in ours.get(i, [])]
            for name in {names.get(i, i) for i in ids} & set(declared):
                guarded |= dict.fromkeys(f"{name} {port}" for port in declared[name].ports)
                unlike |= dict.fromkeys(_unlike(declared[name], beside))
    return SecurityGroups(
        tuple(regions),
        sum(len(one.interfaces) for one in found),
        tuple(sorted(in_use)),
        tuple(rules),
        tuple(r for r in rules if not _is_web(r, declared, env.network.public_ports)),
        tuple(guarded),
        tuple(unlike),
        tuple(dict.fromkeys(a for one in found for i in one.interfaces for a in _public(i))),
    )


def _enabled(env: Environment) -> list[str]:
    step = "permit ec2:DescribeRegions to the reading key, or name them in network.regions"
    with asking(env, "the account's regions", step, env.backups.source.region, "ec2") as ec2:
        return sorted(r["RegionName"] for r in ec2.describe_regions()["Regions"])


def _region(env: Environment, region: str) -> _Region:
    subject, step = f"security groups in {region}", "permit ec2:Describe* to the reading key"
    with asking(env, subject, step, region, "ec2") as ec2:
        of = [{"Name": "vpc-id", "Values": env.network.vpcs}] if env.network.vpcs else []
        interfaces = list(_pages(ec2, "describe_network_interfaces", "NetworkInterfaces", of))
        # Rules name groups of other VPCs, too, so all are read.
        groups = {
            g["GroupId"]: g for g in _pages(ec2, "describe_security_groups", "SecurityGroups")
        }
        used = {g["GroupId"] for i in interfaces for g in i.get("Groups", [])}
        lists = {
            one["PrefixListId"]
            for i in used & groups.keys()
            for permission in groups[i]["IpPermissions"]
            for one in permission.get("PrefixListIds", [])
        }
        return _Region(region, groups, interfaces, {i: _has_all(ec2, i) for i in lists})


def _pages(ec2: Any, operation: str, key: str, of: Any = ()) -> Iterator[Any]:
    filters = {"Filters": of} if of else {}
    for page in ec2.get_paginator(operation).paginate(**filters):
        yield from page[key]


def _has_all(ec2: Any, prefix_list: str) -> bool | Unseen:
    def look() -> bool:
        pages = ec2.get_paginator("get_managed_prefix_list_entries")
        found = pages.paginate(PrefixListId=prefix_list)
        return any(_is_anybody(e["Cidr"]) for page in found for e in page["Entries"])

    right = "ec2:GetManagedPrefixListEntries"
    found: bool | Unseen = permitted(right, f"the prefix list {prefix_list}", look)
    return found


def _used(region: _Region) -> Iterable[str]:
    return dict.fromkeys(g["GroupId"] for i in region.interfaces for g in i.get("Groups", []))


def _name(ident: str, group: Any, declared: Iterable[str]) -> str:
    """What a group is declared as: its id, else its name."""
    return ident if ident in declared else str(group["GroupName"])


def _rules(region: _Region, ident: str, names: dict[str, str]) -> Iterator[Rule]:
    if ident not in region.groups:
        raise ProbeError(
            f"the security group {ident} in {region.name}",
            "an interface has it, and it is not listed",
            "permit ec2:DescribeSecurityGroups to the reading key, or declare network.vpcs",
        )
    for permission in region.groups[ident]["IpPermissions"]:
        protocol = str(permission["IpProtocol"])
        # A protocol without ports, or all of them, says nothing of ports.
        first, last = permission.get("FromPort", -1), permission.get("ToPort", -1)
        if protocol == "-1" or first == -1:
            first, last = 0, 65_535

        def rule(source: str, is_open: bool | Unseen = False, is_group: bool = False) -> Rule:
            name = names[ident]
            return Rule(name, region.name, protocol, first, last, source, is_group, is_open)  # noqa: B023

        for one in permission.get("IpRanges", []):
            yield rule(one["CidrIp"], _is_anybody(one["CidrIp"]))
        for one in permission.get("Ipv6Ranges", []):
            yield rule(one["CidrIpv6"], _is_anybody(one["CidrIpv6"]))
        for one in permission.get("PrefixListIds", []):
            yield rule(one["PrefixListId"], region.lists[one["PrefixListId"]])
        for one in permission.get("UserIdGroupPairs", []):
            source = one.get("GroupId") or one.get("GroupName", "")
            yield rule(names.get(source, source), is_group=True)


def _is_anybody(network: str) -> bool:
    found = ipaddress.ip_network(network, strict=False)
    return found.prefixlen <= _ANYBODY[found.version]


def _is_web(rule: Rule, declared: dict[str, SecurityGroup], ports: list[int]) -> bool:
    """Whether a rule lets anybody in where anybody may: at single web ports of a public group."""
    group = declared.get(rule.group)
    is_port = rule.first == rule.last and rule.first in ports and rule.protocol in _WEB
    return group is not None and group.is_public and is_port


def _unlike(group: SecurityGroup, rules: list[Rule]) -> list[str]:
    admitted = set(group.admits)
    return [
        str(rule)
        for rule in rules
        if any(rule.covers(port) for port in group.ports)
        and not (rule.source_is_group and rule.source in admitted)
    ]


def _public(interface: Any) -> Iterator[str]:
    for one in (interface, *interface.get("PrivateIpAddresses", [])):
        address = one.get("Association", {}).get("PublicIp")
        if address:
            yield str(address)
    for one in interface.get("Ipv6Addresses", []):
        if ipaddress.ip_address(one["Ipv6Address"]).is_global:
            yield str(one["Ipv6Address"])
