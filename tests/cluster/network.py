"""Machines made of network namespaces: each has an address and a cable of its own, and a cable can be cut."""

from __future__ import annotations

import subprocess

from tests.support.servers import Place

NETWORK = "10.77.0"
OURS = f"{NETWORK}.1"  # the address at which this process is in the network
NO_NAMESPACES = "this machine makes no network namespaces for us"
NOBODY = "02:00:00:00:00:fe"  # no card has this address: what is sent to it is lost without a word


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)


def make_switch() -> None:
    """Call first, in a network namespace that nobody else uses."""
    ip("link", "set", "lo", "up")
    ip("link", "add", "switch", "type", "bridge")
    ip("address", "add", f"{OURS}/24", "dev", "switch")
    ip("link", "set", "switch", "up")


def add_machine(name: str, number: int) -> Machine:
    """A machine at the switch; ``number`` is the last part of its address."""
    ip("netns", "add", name)
    ip("link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", name)
    ip("link", "set", name, "master", "switch", "up")
    ip("-n", name, "address", "add", f"{NETWORK}.{number}/24", "dev", "eth0")
    for card in ("lo", "eth0"):
        ip("-n", name, "link", "set", card, "up")
    return Machine(name, Place(f"{NETWORK}.{number}", ("ip", "netns", "exec", name)))


class Machine:
    """One network namespace; files are those of all."""

    def __init__(self, name: str, place: Place) -> None:
        self.name, self.place = name, place

    @property
    def address(self) -> str:
        return self.place.address


def cut(one: Machine, other: Machine) -> None:
    """From now on what they send each other is lost, on connections that are open too; nobody is told."""
    for here, there in ((one, other), (other, one)):
        neighbour = (there.address, "lladdr", NOBODY, "nud", "permanent", "dev", "eth0")
        ip("-n", here.name, "neighbour", "replace", *neighbour)


def mend(one: Machine, other: Machine) -> None:
    for here, there in ((one, other), (other, one)):
        ip("-n", here.name, "neighbour", "delete", there.address, "dev", "eth0")
