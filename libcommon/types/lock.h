/* What an output demands of its spender (20-consensus, "Locks"). */
#ifndef RC_TYPES_LOCK_H
#define RC_TYPES_LOCK_H

#include "base/buf.h"
#include "base/reader.h"
#include "crypto/sha256.h"

enum rc_lock_kind {
	RC_LOCK_KEY = 1,  /* 32-byte x-only output key */
	RC_LOCK_DATA = 2, /* cs length and bytes; never spendable, makes no coin */
	RC_LOCK_BOND = 3, /* u8 purpose, 32-byte x-only owner key */
	RC_LOCK_PEG = 4,  /* 32-byte sidechain id; never a coin */
};

/* Sets of kinds, in the table of transaction types. */
#define RC_LOCK_BIT(kind) (1u << (kind))

#define RC_LOCK_KEY_SIZE  33
#define RC_LOCK_BOND_SIZE 34
#define RC_LOCK_PEG_SIZE  33
#define RC_LOCK_DATA_MAX  256 /* bytes of data */
/* The longest lock: kind, cs of 3 bytes, 256 bytes; and the longest of a coin. */
#define RC_LOCK_SIZE_MAX (1 + 3 + RC_LOCK_DATA_MAX)
#define RC_LOCK_COIN_MAX RC_LOCK_BOND_SIZE

enum rc_bond_purpose {
	RC_BOND_MASTERNODE = 1,
	RC_BOND_SIDECHAIN = 2,
	RC_BOND_PROPOSAL = 3,
	RC_BOND_CHALLENGE = 4,
};

/* A view: data is the whole encoding (kind byte and body) in bytes somebody else owns. */
struct rc_lock {
	const uint8_t *data;
	uint16_t len;
	uint8_t kind;
};

/* Reads one lock; marks the reader failed if there is none. */
void rc_lock_read(struct rc_reader *r, struct rc_lock *ret_lock);
/* Exactly one lock and nothing after it. */
bool rc_lock_decode(const void *data, size_t len, struct rc_lock *ret_lock);

/* Outputs of these kinds are coins (namespace 1 of the state). */
static inline bool rc_lock_makes_coin(const struct rc_lock *lock)
{
	return lock->kind == RC_LOCK_KEY || lock->kind == RC_LOCK_BOND;
}

/* The 32 bytes at the end of a KEY, BOND or PEG: output key, owner key, sidechain id. */
static inline const uint8_t *rc_lock_key(const struct rc_lock *lock)
{
	return lock->data + lock->len - 32;
}

/* The bytes a DATA lock carries. */
struct rc_bytes rc_lock_data(const struct rc_lock *lock);

/* Writers of whole encodings. */
void rc_lock_key_encode(const uint8_t output_key[32], uint8_t ret_lock[RC_LOCK_KEY_SIZE]);
void rc_lock_bond_encode(enum rc_bond_purpose purpose, const uint8_t owner_key[32],
			 uint8_t ret_lock[RC_LOCK_BOND_SIZE]);
/* len ≤ RC_LOCK_DATA_MAX; appends to *buf. */
void rc_lock_data_put(struct rc_buf *buf, const void *data, size_t len);

/* SHA256 of the whole encoding: the first part of a coin's key in the state, and what an owner's
 * coins are listed by. */
void rc_lock_hash(const void *lock, size_t len, struct rc_hash *ret_hash);

#endif
