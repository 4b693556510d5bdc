/*
 * What is pure, dear and asked again by every node is worked out once a run: signatures, and the
 * points of handshakes. (Ids and parts of the tree aren't here: finding them by content costs the
 * hash that they are.) A tenth of the seeds run without.
 */
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "crypto/ecdh.h"
#include "crypto/schnorr.h"
#include "sim.h"

struct known {
	uint8_t key[32];
	uint8_t value[RC_POINT_SIZE];
	bool ok;
	UT_hash_handle hh;
};

static struct known *known;
bool sim_memo_on;
uint64_t sim_memo_hits, sim_memo_misses;

/* Of the question's parts; NULL when nothing is remembered. *ret_new: to be filled in. */
static struct known *look_up(char kind, const void *a, size_t a_len, const void *b, size_t b_len,
			     const void *c, size_t c_len, bool *ret_new)
{
	uint8_t bytes[256], key[32];
	size_t at = 0;
	struct known *k;

	if (!sim_memo_on || 1 + a_len + b_len + c_len > sizeof(bytes))
		return NULL;
	bytes[at++] = (uint8_t)kind;
	memcpy(bytes + at, a, a_len);
	at += a_len;
	if (b_len)
		memcpy(bytes + at, b, b_len);
	at += b_len;
	if (c_len)
		memcpy(bytes + at, c, c_len);
	at += c_len;
	rc_sha256(bytes, at, key);
	HASH_FIND(hh, known, key, sizeof(key), k);
	*ret_new = !k;
	sim_memo_hits += k != NULL;
	sim_memo_misses += !k;
	if (!k) {
		k = rc_alloc(sizeof(*k));
		memcpy(k->key, key, sizeof(key));
		HASH_ADD(hh, known, key, sizeof(k->key), k);
	}
	return k;
}

bool __real_rc_schnorr_verify(const uint8_t sig[64], const void *msg, size_t msg_len,
			      const uint8_t pubkey[32]);
bool __wrap_rc_schnorr_verify(const uint8_t sig[64], const void *msg, size_t msg_len,
			      const uint8_t pubkey[32]);
bool __wrap_rc_schnorr_verify(const uint8_t sig[64], const void *msg, size_t msg_len,
			      const uint8_t pubkey[32])
{
	bool new;
	struct known *k = look_up('v', sig, 64, pubkey, 32, msg, msg_len, &new);

	if (!k)
		return __real_rc_schnorr_verify(sig, msg, msg_len, pubkey);
	if (new)
		k->ok = __real_rc_schnorr_verify(sig, msg, msg_len, pubkey);
	return k->ok;
}

bool __real_rc_point_from_secret(const uint8_t secret[32], uint8_t ret_point[RC_POINT_SIZE]);
bool __wrap_rc_point_from_secret(const uint8_t secret[32], uint8_t ret_point[RC_POINT_SIZE]);
bool __wrap_rc_point_from_secret(const uint8_t secret[32], uint8_t ret_point[RC_POINT_SIZE])
{
	bool new;
	struct known *k = look_up('p', secret, 32, NULL, 0, NULL, 0, &new);

	if (!k)
		return __real_rc_point_from_secret(secret, ret_point);
	if (new)
		k->ok = __real_rc_point_from_secret(secret, k->value);
	if (k->ok)
		memcpy(ret_point, k->value, RC_POINT_SIZE);
	return k->ok;
}

bool __real_rc_ecdh(const uint8_t secret[32], const uint8_t point[RC_POINT_SIZE],
		    uint8_t ret_shared[32]);
bool __wrap_rc_ecdh(const uint8_t secret[32], const uint8_t point[RC_POINT_SIZE],
		    uint8_t ret_shared[32]);
/* Both sides come to the same: it is kept under both points. */
bool __wrap_rc_ecdh(const uint8_t secret[32], const uint8_t point[RC_POINT_SIZE],
		    uint8_t ret_shared[32])
{
	uint8_t own[RC_POINT_SIZE];
	bool new, first;
	struct known *k;

	if (!sim_memo_on || !__wrap_rc_point_from_secret(secret, own))
		return __real_rc_ecdh(secret, point, ret_shared);
	first = memcmp(own, point, RC_POINT_SIZE) < 0;
	k = look_up('e', first ? own : point, RC_POINT_SIZE, first ? point : own, RC_POINT_SIZE,
		    NULL, 0, &new);
	if (new)
		k->ok = __real_rc_ecdh(secret, point, k->value);
	if (k->ok)
		memcpy(ret_shared, k->value, 32);
	return k->ok;
}
