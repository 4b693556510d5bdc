/*
 * Owners of a made chain's coins: coin n belongs to key n, whose lock is the key itself or one of a
 * few policies; everything follows from the seed and the number, so nothing has to be remembered.
 */
#ifndef BENCH_CHAIN_OWNERS_H
#define BENCH_CHAIN_OWNERS_H

#include "consensus/sighash.h"
#include "types/delta.h"

/* Signers of policies beside a coin's owner. */
#define COSIGNERS 16

enum mix { MIX_KEY, MIX_POLICY, MIX_MIXED };

struct owners {
	uint64_t seed;
	enum mix mix;
	uint8_t base_secret[32];
	uint8_t cosigner_secret[COSIGNERS][32], cosigner[COSIGNERS][32];
};

/* Every kind of node there is occurs in one of these (20-consensus, "FerrisScript"). */
enum form {
	FORM_KEY_PATH,
	FORM_SINGLE,   /* one key */
	FORM_MULTI,    /* 2 of 3 keys */
	FORM_OLDER,    /* a key, after a block */
	FORM_ANY_KEYS, /* 2 of 2 keys, or a key after a height: here the keys … */
	FORM_ANY_TIME, /* … and here the height */
	FORM_PREIMAGE, /* a key and a preimage */
	FORM_CHOOSE,   /* two of three keys as children */
	FORM_COUNT,
};

struct coin {
	struct rc_delta_coin c;
	uint32_t number; /* of its owner: its key, and the details of its policy */
	uint8_t form;	 /* enum form */
	bool spent;
};

/* After rc_schnorr_init. */
void owners_init(struct owners *owners, uint64_t seed, enum mix mix);

/* The form of the coin of a number. */
enum form owners_form(const struct owners *owners, uint32_t number);

/* Sets the locks of n coins whose numbers follow each other: the first costs a multiplication of a
 * point, the others an addition. */
void owners_locks(const struct owners *owners, struct coin *coins, size_t n);

/* Bytes of an input that spends the coin, with its witness; its signatures; its verification
 * budget. */
size_t coin_input_size(const struct coin *coin);
unsigned coin_signatures(const struct coin *coin);
unsigned coin_budget(const struct coin *coin);

/* Appends the witness of the input that spends the coin. Any thread. */
void owners_witness(const struct owners *owners, const struct coin *coin,
		    const struct rc_sighash *sighash, uint32_t input, struct rc_buf *buf);

/* A number's hash, for choices that follow from it (splitmix64). */
uint64_t mix64(uint64_t z);

#endif
