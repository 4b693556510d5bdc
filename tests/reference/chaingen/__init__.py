"""Random chains for comparing two implementations: valid ones, and every way to break one.

    policies    random policies, how to satisfy them, and malformed ones
    owners      who can spend which lock
    payments    random payments of the coins at hand
    faults      one way or more to provoke every verdict
    blocks      building and mining blocks
    scenario    the order in which headers and blocks are offered
"""
