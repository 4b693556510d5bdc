"""New coins and their shares.  Document 20, "Subsidy and treasury"."""


def subsidy(network, height: int) -> int:
    """0 for genesis, halved every `halving` blocks, 0 from 64 halvings on."""
    halvings = height // network.halving
    if height == 0 or halvings >= 64:
        return 0
    return network.first_subsidy >> halvings


def treasury(network, height: int) -> int:
    return subsidy(network, height) * network.treasury_share // 100


def masternode(network, height: int, some_enabled: bool) -> int:
    """The masternode's share, if some masternode is enabled in the state before the block."""
    if not some_enabled:
        return 0
    return subsidy(network, height) * network.masternode_share // 100


def treasury_after(network, height: int, before: int, payments: int = 0) -> int:
    """T(h): what is unspent at the end of a cycle is gone."""
    if height % network.cycle == 0:
        return 0
    return before + treasury(network, height) - payments


def miner_limit(network, height: int, fees: int) -> int:
    """The most the miner's outputs may sum to; no masternode exists yet."""
    return (subsidy(network, height) - treasury(network, height)
            - masternode(network, height, some_enabled=False) + fees)
