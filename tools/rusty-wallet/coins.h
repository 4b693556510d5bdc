/*
 * Which coins pay: pure arithmetic, the same answer for the same coins, whatever order they come
 * in.
 *
 * 1. Without --coin, confirmed and mature coins are tried first; if they don't suffice, unconfirmed
 *    change of this wallet too. Unconfirmed coins that came from others are spent only by name.
 * 2. A set is sought (branch and bound, at most 100,000 steps) whose value needs no change output:
 *    what it exceeds the need by is less than making and later spending a change output costs.
 * 3. Else the largest coins first, until they suffice: few inputs, low fee.
 * 4. Change below 546 oxides, which no node relays, goes to the fee.
 */
#ifndef WALLET_COINS_H
#define WALLET_COINS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "types/amount.h"
#include "types/outpoint.h"

#define WALLET_DUST	    UINT64_C(546) /* least KEY output that is relayed (20-consensus, "Policy") */
#define WALLET_INPUT_SIZE   (40 + 1 + 1 + 64) /* input; witness: one item of 64 bytes */
#define WALLET_OUTPUT_SIZE  (8 + 33)
#define WALLET_STANDARD_MAX 100000 /* bytes of a transaction that is relayed */
#define WALLET_INPUTS_MAX   ((WALLET_STANDARD_MAX - 200) / WALLET_INPUT_SIZE)
#define WALLET_FEE_RATE_MAX UINT64_C(1000000) /* oxides a byte: beyond it is a mistake */

struct wallet_coin {
	struct rc_outpoint at;
	rc_amount amount;
	uint32_t height; /* of its block; meaningless if not confirmed */
	bool confirmed;
	bool coinbase;
	uint32_t chain, index; /* whose key opens it (keys.h) */
	uint8_t output_key[32];
};

struct wallet_order {
	rc_amount amount;  /* for the receiver; of WALLET_ALL: see all */
	bool all;	   /* every coin that may be spent, less the fee */
	bool subtract_fee; /* the receiver pays it */
	bool fixed_fee;	   /* fee is the whole fee, else fee_rate */
	rc_amount fee;
	rc_amount fee_rate; /* oxides a byte */
	bool named;	    /* spend exactly the coins given (--coin) */
	uint32_t tip;	    /* height of the best block */
	uint32_t maturity;  /* blocks a coinbase waits */
};

struct wallet_choice {
	size_t *picked; /* indices of coins, ascending by outpoint; the caller frees them */
	size_t n;
	rc_amount paid;	  /* to the receiver */
	rc_amount change; /* 0: no change output */
	rc_amount fee;
};

/* Size of a transaction with so many KEY inputs and KEY outputs. */
uint64_t wallet_payment_size(size_t n_inputs, size_t n_outputs);

/* Whether a block on top of the tip may spend it. */
bool wallet_coin_mature(const struct wallet_coin *coin, const struct wallet_order *order);

/* RC_ERANGE with the sums if the coins don't suffice, or amount or fee can't be. */
int wallet_choose(const struct wallet_coin *coins, size_t n, const struct wallet_order *order,
		  struct wallet_choice *ret_choice, struct rc_error *error);

#endif
