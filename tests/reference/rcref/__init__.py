"""Rusty Coin's consensus, a second time.

This package is written from the design documents "Consensus" (20) and "The committed state" (30)
alone, one noun a file, slow and plain.  It exists to disagree: the node in C and this package judge
the same random chains, and where they differ the text decides.

A reading order for newcomers:

    codec, hashes, amount      integers, compact sizes, tagged hashes
    lock, transaction          what a transaction is, and its three names
    header, block, merkle      what a block is, and what its header commits to
    network, bits, asert       the rules' parameters and the difficulty
    policy, tweak, sighash     who may spend a coin
    trie, proof, state         what the chain knows, and how to prove it
    verdict, *_rules           the rules in their order
    chain                      which chain is the best one
"""
