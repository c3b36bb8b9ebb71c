"""The network as AWS would guard it: a VPC in moto, its security groups, what each lets in, and a
network interface for every machine. Numbers of ports are those that the product has at AWS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rehearsal.kernel.world import Rehearsal
    from rehearsal.parts import Endpoints

REGION, OTHER_REGION = "us-east-1", "us-west-2"
VPN = "10.8.0.0/16"
SSH, APP, METRICS, PROMETHEUS = 22, 8000, 9101, 9090
POSTGRES, POOLER, REDIS, SENTINEL = 5432, 6432, 6379, 26379
BALANCER, INSTANCES, DATABASE, POOLS, CACHE, WATCH, ADMIN = (
    "balancer",
    "application",
    "database",
    "pooler",
    "cache",
    "monitoring",
    "bastion",
)
ANYBODY, ANYBODY_V6 = "0.0.0.0/0", "::/0"
RULES: dict[str, list[tuple[int, str]]] = {
    BALANCER: [(80, ANYBODY), (443, ANYBODY), (80, ANYBODY_V6), (443, ANYBODY_V6)],
    INSTANCES: [(APP, BALANCER), (APP, WATCH), (SSH, ADMIN)],
    POOLS: [(POOLER, INSTANCES), (SSH, ADMIN)],
    DATABASE: [(POSTGRES, POOLS), (POSTGRES, DATABASE), (SSH, ADMIN), (METRICS, WATCH)],
    CACHE: [(REDIS, INSTANCES), (REDIS, CACHE), (SENTINEL, INSTANCES), (SENTINEL, CACHE)],
    WATCH: [(PROMETHEUS, "pl"), (SSH, ADMIN)],
    ADMIN: [(SSH, "pl")],
}
"""Ports of each group and who comes in there: a group, a network, or the prefix list of the VPN."""
MACHINES = {BALANCER: 2, INSTANCES: 2, POOLS: 1, DATABASE: 2, CACHE: 2, WATCH: 1, ADMIN: 1}
GUARDED = {
    DATABASE: ([POSTGRES], [POOLS, DATABASE]),
    POOLS: ([POOLER], [INSTANCES]),
    CACHE: ([REDIS, SENTINEL], [INSTANCES, CACHE]),
}


def furnish(r: Rehearsal, client: Any) -> None:
    """Make VPC, groups, rules and interfaces. `client` is `aws.client`."""
    ec2 = client(r, "ec2", REGION)
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
    made = ec2.create_managed_prefix_list(
        PrefixListName="vpn",
        MaxEntries=5,
        AddressFamily="IPv4",
        Entries=[{"Cidr": VPN, "Description": "people at work"}],
    )
    prefix_list = made["PrefixList"]["PrefixListId"]
    groups = {
        name: ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc)["GroupId"]
        for name in RULES
    }
    r.remember("aws-network", {"groups": groups, "prefix_list": prefix_list})
    for name, rules in RULES.items():
        for port, source in rules:
            let_in(r, client, name, port, source)
    for name, count in MACHINES.items():
        for number in range(count):
            ec2.create_network_interface(
                SubnetId=subnet, Groups=[groups[name]], Description=f"{name}-{number + 1}"
            )


def let_in(r: Rehearsal, client: Any, name: str, port: int, source: str) -> None:
    """Let somebody in at a port of a group."""
    client(r, "ec2", REGION).authorize_security_group_ingress(**_rule(r, name, port, source))


def keep_out(r: Rehearsal, client: Any, name: str, port: int, source: str) -> None:
    """Take that back."""
    client(r, "ec2", REGION).revoke_security_group_ingress(**_rule(r, name, port, source))


def _rule(r: Rehearsal, name: str, port: int, source: str) -> dict[str, Any]:
    known = r.recall("aws-network")
    whom: dict[str, Any]
    if source in known["groups"]:
        whom = {"UserIdGroupPairs": [{"GroupId": known["groups"][source]}]}
    elif source == "pl":
        whom = {"PrefixListIds": [{"PrefixListId": known["prefix_list"]}]}
    elif ":" in source:
        whom = {"Ipv6Ranges": [{"CidrIpv6": source}]}
    else:
        whom = {"IpRanges": [{"CidrIp": source}]}
    permission = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, **whom}
    return {"GroupId": known["groups"][name], "IpPermissions": [permission]}


def add_group(r: Rehearsal, client: Any, name: str) -> None:
    """Give an interface of the application another group, that nobody declared."""
    ec2 = client(r, "ec2", REGION)
    one, groups = _interface(r, ec2)
    vpc = one["VpcId"]
    made = ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc)["GroupId"]
    ec2.modify_network_interface_attribute(
        NetworkInterfaceId=one["NetworkInterfaceId"], Groups=[*groups, made]
    )


def drop_group(r: Rehearsal, client: Any, name: str) -> None:
    """Take it away again."""
    ec2 = client(r, "ec2", REGION)
    own = r.recall("aws-network")["groups"][INSTANCES]
    one, _ = _interface(r, ec2)
    ec2.modify_network_interface_attribute(
        NetworkInterfaceId=one["NetworkInterfaceId"], Groups=[own]
    )
    found = ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": [name]}])
    for group in found["SecurityGroups"]:
        ec2.delete_security_group(GroupId=group["GroupId"])


def _interface(r: Rehearsal, ec2: Any) -> tuple[Any, list[str]]:
    known = r.recall("aws-network")["groups"][INSTANCES]
    found = ec2.describe_network_interfaces(Filters=[{"Name": "group-id", "Values": [known]}])
    one = found["NetworkInterfaces"][0]
    return one, [g["GroupId"] for g in one["Groups"]]


def endpoints() -> Endpoints:
    """What is declared of it."""
    groups: list[dict[str, Any]] = []
    for name in RULES:
        ports, admits = GUARDED.get(name, ([], []))
        groups.append({"name": name, "ports": ports, "admits": admits})
    groups[0]["is_public"] = True
    return {"network": {"regions": [REGION, OTHER_REGION], "groups": groups}}
