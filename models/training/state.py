"""Networks and statistics as one mapping of named tensors, which is how a generator is kept."""

from collections.abc import Iterable, Mapping
from typing import Any, Protocol, TypeVar

from torch import Tensor, nn

Network = TypeVar("Network", bound=nn.Module)


class Stateful(Protocol):
    """Has tensors and JSON-able facts from which it can be restored."""

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """The tensors and the facts."""


def states_of(parts: Iterable[Stateful]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors of all parts, and facts of all parts."""
    tensors: dict[str, Tensor] = {}
    facts: dict[str, Any] = {}
    for part in parts:
        of_part = part.state()
        tensors |= of_part[0]
        facts |= of_part[1]
    return tensors, facts


def over(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors with the prefix before their names."""
    return {prefix + name: value for name, value in tensors.items()}


def under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors whose names begin with the prefix, without it."""
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def frozen(network: Network, weights: Mapping[str, Tensor]) -> Network:
    """The network, perhaps of the device `meta`, with these very weights, in evaluation mode and without gradients."""
    network.load_state_dict(weights, assign=True)
    return network.eval().requires_grad_(False)
