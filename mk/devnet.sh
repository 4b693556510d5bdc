#!/bin/bash
# What `make devnet` shows: three nodes agree, blocks are found, two wallets pay each other, a third
# node sees it confirmed. The network goes on running; the last lines say how to use and stop it.
set -eu
bin=${1:-build/bin}
net="$bin/rusty-devnet"
port=${DEVNET_PORT:-17440} # of the first node, if that one is taken
start=$SECONDS

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
on() { "$net" exec "$@"; }
dir() { "$net" status --json | sed -n 's|.*"datadir": "\(.*\)/node1".*|\1|p' | head -1; }

# Waits, at most 30 seconds, until a command says yes.
until_true() {
	local what=$1 end=$((SECONDS + 30))
	shift
	until "$@"; do
		[ $SECONDS -lt $end ] || { echo "devnet: $what: not within 30 s" >&2; exit 1; }
		sleep 0.1
	done
}
# shellcheck disable=SC2317
height_is() { [ "$(on "$1" rusty-cli getblockcount)" = "$2" ]; }
# shellcheck disable=SC2317
sees() { on "$1" rusty-cli getrawmempool | grep -q "$2"; }
# The figures of the table are asked for every second or two.
# shellcheck disable=SC2317
table_shows() { [ "$("$net" status | grep -c "at block $1\$")" = 3 ]; }
# A wallet of the demonstration; its passphrase is "devnet", read from a descriptor.
wallet() { # node, name, arguments
	local node=$1 name=$2
	shift 2
	on "$node" rusty-wallet "$@" --network reg --wallet "$home/$name.wallet" --passphrase-fd 3 3<<<devnet
}

say "Three full nodes, each with its own daemons, state and encrypted links"
"$net" --base-port "$port" up
home=$(dir)

say "A wallet for Alice; rusty-miner finds 12 blocks for her on node1 (a reward can be spent after 10)"
wallet node1 alice create --words-fd 9 9>/dev/null >/dev/null
wallet node2 bob create --words-fd 9 9>/dev/null >/dev/null
alice=$(wallet node1 alice address new)
bob=$(wallet node2 bob address new)
echo "Alice: $alice"
echo "Bob:   $bob"
on node1 rusty-miner --address "$alice" --blocks 12
for n in node1 node2 node3; do until_true "$n at height 12" height_is $n 12; done
wallet node1 alice balance

say "Alice pays Bob 12.5 RUST through node1; node3 hears of it and mines the block"
txid=$(wallet node1 alice send "$bob" 12.5 --json | sed -n 's/.*"txid": "\([0-9a-f]*\)".*/\1/p')
echo "transaction $txid"
until_true "the payment on node3" sees node3 "$txid"
on node3 rusty-miner --address "$alice" --blocks 1
for n in node1 node2 node3; do until_true "$n at height 13" height_is $n 13; done

say "Bob sees it on node2 and pays 5 RUST back; node2 mines that"
wallet node2 bob balance
back=$(wallet node2 bob send "$alice" 5 --json | sed -n 's/.*"txid": "\([0-9a-f]*\)".*/\1/p')
until_true "the payment on node2" sees node2 "$back"
on node2 rusty-miner --address "$bob" --blocks 1
until_true "node3 at height 14" height_is node3 14

say "The payment as node3, which neither of them used, has it: confirmed"
on node3 rusty-cli gettxout "$back" 0
on node3 rusty-cli getblockchaininfo | grep -E '"(blocks|bestblockhash|stateroot)"'

say "The daemons"
until_true "the table at height 14" table_shows 14
"$net" status
"$net" status --json >/dev/null # ready by JSON too

say "It works (in $((SECONDS - start)) s). The network goes on running."
cat <<MSG
  look:   $net status
          $net exec node2 rusty-cli getblockchaininfo        (rusty-cli help lists the methods)
          $net exec node1 rusty-cli -getinfo
          curl http://127.0.0.1:$((port + 2))/metrics                (node1; /livez /readyz too)
          less $home/node1/chaind.log
  pay:    $net exec node1 rusty-wallet balance --network reg --wallet $home/alice.wallet
          (the passphrase is: devnet)

  stop:   $net down
MSG
