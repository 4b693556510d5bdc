/* SHA-256: plain, twice and tagged, one message or many of equal length. */
#ifndef RC_CRYPTO_SHA256_H
#define RC_CRYPTO_SHA256_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"

struct rc_hash {
	uint8_t b[32];
};

/* A running hash; plain data, may be copied (so a tag's midstate is a copy). */
struct rc_sha256 {
	uint32_t opaque[28]; /* OpenSSL's SHA256_CTX, 112 bytes; the size is asserted */
};

void rc_sha256_init(struct rc_sha256 *s);
void rc_sha256_update(struct rc_sha256 *s, const void *data, size_t len);
void rc_sha256_final(struct rc_sha256 *s, uint8_t ret_hash[32]);

/* SHA256(data). ret_hash may be data. */
void rc_sha256(const void *data, size_t len, uint8_t ret_hash[32]);
/* SHA256(SHA256(data)). */
void rc_sha256d(const void *data, size_t len, uint8_t ret_hash[32]);

/*
 * The closed list of tags (crypto.md, 5.1). H(tag, x) = SHA256(SHA256(tag) || SHA256(tag) || x).
 * X(NAME, "text")
 */
#define RC_TAG_TABLE(X)                                 \
	X(RC_TAG_NETWORK, "RC/network")                 \
	X(RC_TAG_TXID, "RC/txid")                       \
	X(RC_TAG_WITNESS, "RC/witness")                 \
	X(RC_TAG_MERKLE_LEAF, "RC/merkle/leaf")         \
	X(RC_TAG_MERKLE_NODE, "RC/merkle/node")         \
	X(RC_TAG_MERKLE_ROOT, "RC/merkle/root")         \
	X(RC_TAG_SIGHASH, "RC/sighash")                 \
	X(RC_TAG_LEAF, "RC/leaf")                       \
	X(RC_TAG_BRANCH, "RC/branch")                   \
	X(RC_TAG_TAPTWEAK, "RC/taptweak")               \
	X(RC_TAG_STATE_LEAF, "RC/state/leaf")           \
	X(RC_TAG_STATE_BRANCH, "RC/state/branch")       \
	X(RC_TAG_STATE_ROOT, "RC/state/root")           \
	X(RC_TAG_GOV_KEY, "RC/gov/key")                 \
	X(RC_TAG_MSGSIGN, "RC/msgsign")                 \
	X(RC_TAG_ADDRMAN, "RC/addrman")                 \
	X(RC_TAG_BIP340_AUX, "BIP0340/aux")             \
	X(RC_TAG_BIP340_NONCE, "BIP0340/nonce")         \
	X(RC_TAG_BIP340_CHALLENGE, "BIP0340/challenge") \
	X(RC_TAG_BIP341_LEAF, "TapLeaf")                \
	X(RC_TAG_BIP341_BRANCH, "TapBranch")            \
	X(RC_TAG_BIP341_TWEAK, "TapTweak")

enum rc_tag {
#define X(name, text) name,
	RC_TAG_TABLE(X)
#undef X
		RC_TAG_COUNT
};

/* The text of a tag. */
const char *rc_tag_text(enum rc_tag tag);

/* s after SHA256(tag) || SHA256(tag): 64 bytes, one block; from a table of midstates made once
 * (thread-safe), so that a tagged hash costs no more than a plain one. */
void rc_tagged_init(enum rc_tag tag, struct rc_sha256 *s);

/* H(tag, data). */
void rc_tagged_hash(enum rc_tag tag, const void *data, size_t len, uint8_t ret_hash[32]);

/* H(tag, parts[0] || parts[1] || …). */
void rc_tagged_hash_parts(enum rc_tag tag, const struct rc_bytes *parts, size_t n_parts,
			  uint8_t ret_hash[32]);

/*
 * H(tag, message i) for n messages of len bytes each, side by side in vector lanes where the CPU
 * has them. messages: n × len bytes, one after another, stride bytes apart (stride ≥ len).
 * ret_hashes: n × 32 bytes.
 */
void rc_tagged_hash_many(enum rc_tag tag, const uint8_t *messages, size_t stride, size_t len,
			 size_t n, uint8_t *ret_hashes);

/* SHA256(message i), otherwise the same. */
void rc_sha256_many(const uint8_t *messages, size_t stride, size_t len, size_t n,
		    uint8_t *ret_hashes);

/* The implementations of the _many calls: "openssl", "avx2", "avx512"; the best one is chosen at
 * first use. Forcing one is for tests. Returns false when this CPU lacks it. */
bool rc_sha256_force(const char *name);
const char *rc_sha256_implementation(void);

#endif
