"""Faults of the transport: when and how a reply is sent, whatever its content."""

from collections.abc import Callable, Mapping

from llmbatch.simulate.reply import Delivery, Manner

WireFault = Callable[[Mapping[str, float]], Delivery]


def _delay(parameters: Mapping[str, float]) -> Delivery:
    return Delivery(wait_s=parameters["seconds"])


def _timeout(parameters: Mapping[str, float]) -> Delivery:
    return Delivery(Manner.HANG, spread_s=parameters["seconds"])


def _drip(parameters: Mapping[str, float]) -> Delivery:
    return Delivery(Manner.DRIP, spread_s=parameters["seconds"])


def _reset(_: Mapping[str, float]) -> Delivery:
    return Delivery(Manner.RESET)


def _cut(_: Mapping[str, float]) -> Delivery:
    return Delivery(Manner.CUT)


def _endless(_: Mapping[str, float]) -> Delivery:
    return Delivery(Manner.ENDLESS)


def _bomb(_: Mapping[str, float]) -> Delivery:
    return Delivery(Manner.BOMB)


WIRE_FAULTS: dict[str, WireFault] = {
    "delay": _delay,
    "slow": _delay,
    "timeout": _timeout,
    "drip": _drip,
    "reset": _reset,
    "cut": _cut,
    "endless": _endless,
    "bomb": _bomb,
}
