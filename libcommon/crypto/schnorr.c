/* See schnorr.h. */
#include "crypto/schnorr.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <secp256k1.h>
#include <secp256k1_extrakeys.h>
#include <secp256k1_schnorrsig.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "crypto/secp.h"

/*
 * The one global of crypto/: the library wants its blinded context kept for the life of the
 * process. It is written by rc_schnorr_init alone, before there are threads.
 */
static secp256k1_context *secret_context;

/* A wrong argument is our own mistake; going on could sign or accept anything. */
static void on_illegal_argument(const char *text, void *arg)
{
	(void)arg;
	rc_log(RC_LOG_CRIT, "secp256k1 was called with a wrong argument (%s): ending", text);
	abort();
}

void rc_schnorr_init(void)
{
	uint8_t seed[32];

	if (!secret_context) {
		secret_context = secp256k1_context_create(SECP256K1_CONTEXT_NONE);
		if (!secret_context)
			abort();
		secp256k1_context_set_illegal_callback(secret_context, on_illegal_argument, NULL);
		secp256k1_context_set_error_callback(secret_context, on_illegal_argument, NULL);
	}
	rc_random_fill(&rc_random_system, seed, sizeof(seed));
	if (!secp256k1_context_randomize(secret_context, seed))
		abort();
	rc_wipe(seed, sizeof(seed));
}

const secp256k1_context *rc_secp_secret_context(void)
{
	assert(secret_context && "rc_schnorr_init comes first");
	return secret_context;
}

bool rc_schnorr_verify(const uint8_t sig[64], const void *msg, size_t msg_len,
		       const uint8_t pubkey[32])
{
	const secp256k1_context *ctx = rc_secp_public_context();
	secp256k1_xonly_pubkey key;

	return secp256k1_xonly_pubkey_parse(ctx, &key, pubkey) &&
	       secp256k1_schnorrsig_verify(ctx, sig, msg, msg_len, &key);
}

bool rc_schnorr_sign(const uint8_t secret[32], const void *msg, size_t msg_len,
		     const uint8_t aux[32], uint8_t ret_sig[64])
{
	const secp256k1_context *ctx = rc_secp_secret_context();
	secp256k1_schnorrsig_extraparams extra = SECP256K1_SCHNORRSIG_EXTRAPARAMS_INIT;
	secp256k1_keypair pair;
	uint8_t sig[64];
	bool ok;

	extra.ndata = (void *)aux;
	ok = secp256k1_keypair_create(ctx, &pair, secret) &&
	     secp256k1_schnorrsig_sign_custom(ctx, sig, msg, msg_len, &pair, &extra);
	rc_wipe(&pair, sizeof(pair));
	if (ok)
		memcpy(ret_sig, sig, sizeof(sig));
	return ok;
}

bool rc_xonly_from_secret(const uint8_t secret[32], uint8_t ret_pubkey[32], int *ret_parity)
{
	const secp256k1_context *ctx = rc_secp_secret_context();
	secp256k1_xonly_pubkey key;
	secp256k1_keypair pair;
	bool ok;

	ok = secp256k1_keypair_create(ctx, &pair, secret) &&
	     secp256k1_keypair_xonly_pub(ctx, &key, ret_parity, &pair);
	rc_wipe(&pair, sizeof(pair));
	return ok && secp256k1_xonly_pubkey_serialize(ctx, ret_pubkey, &key);
}

bool rc_xonly_valid(const uint8_t pubkey[32])
{
	secp256k1_xonly_pubkey key;

	return secp256k1_xonly_pubkey_parse(rc_secp_public_context(), &key, pubkey);
}

bool rc_xonly_tweak(const uint8_t internal[32], const uint8_t tweak[32], uint8_t ret_output[32],
		    int *ret_parity)
{
	const secp256k1_context *ctx = rc_secp_public_context();
	secp256k1_xonly_pubkey key, output;
	secp256k1_pubkey sum;

	return secp256k1_xonly_pubkey_parse(ctx, &key, internal) &&
	       secp256k1_xonly_pubkey_tweak_add(ctx, &sum, &key, tweak) &&
	       secp256k1_xonly_pubkey_from_pubkey(ctx, &output, ret_parity, &sum) &&
	       secp256k1_xonly_pubkey_serialize(ctx, ret_output, &output);
}

/*
 * Multiples of G for checking public tweaks: of_g[j][d] = d·256^j·G, so that tweak·G is the sum of
 * one of each row, by the bytes of the tweak. The library's own tweak_add is made for any point
 * and takes twice as long. 32 rows × 256 points × 64 bytes: half a MiB, made at the first check
 * in some 15 ms, only read after that.
 */
static secp256k1_pubkey of_g[32][256]; /* [j][0] isn't used: infinity is no key */
static pthread_once_t of_g_made = PTHREAD_ONCE_INIT;

static void add_points(secp256k1_pubkey *sum, const secp256k1_pubkey *a, const secp256k1_pubkey *b)
{
	const secp256k1_pubkey *both[] = {a, b};

	/* No row comes to the order of the curve: d·256^j < n. */
	if (!secp256k1_ec_pubkey_combine(rc_secp_public_context(), sum, both, 2))
		abort();
}

static void make_of_g(void)
{
	/* G itself (SEC 2): its x with an even y. */
	static const uint8_t g[33] = {0x02, 0x79, 0xbe, 0x66, 0x7e, 0xf9, 0xdc, 0xbb, 0xac,
				      0x55, 0xa0, 0x62, 0x95, 0xce, 0x87, 0x0b, 0x07, 0x02,
				      0x9b, 0xfc, 0xdb, 0x2d, 0xce, 0x28, 0xd9, 0x59, 0xf2,
				      0x81, 0x5b, 0x16, 0xf8, 0x17, 0x98};

	if (!secp256k1_ec_pubkey_parse(rc_secp_public_context(), &of_g[0][1], g, sizeof(g)))
		abort();
	for (unsigned j = 0; j < 32; j++) {
		if (j > 0)
			add_points(&of_g[j][1], &of_g[j - 1][255], &of_g[j - 1][1]);
		for (unsigned d = 2; d < 256; d++)
			add_points(&of_g[j][d], &of_g[j][d - 1], &of_g[j][1]);
	}
}

/* As rc_xonly_tweak, by the table. */
static bool tweak_by_table(const uint8_t internal[32], const uint8_t tweak[32],
			   uint8_t ret_output[32], int *ret_parity)
{
	const secp256k1_context *ctx = rc_secp_public_context();
	const secp256k1_pubkey *points[33];
	secp256k1_pubkey key, sum;
	uint8_t bytes[33] = {0x02}; /* lift_x: the even one */
	size_t n = 0, len = sizeof(bytes);

	/* 0, which is fine, and n and more, which isn't, are the library's to tell apart. */
	if (!secp256k1_ec_seckey_verify(ctx, tweak))
		return rc_xonly_tweak(internal, tweak, ret_output, ret_parity);
	memcpy(bytes + 1, internal, 32);
	if (!secp256k1_ec_pubkey_parse(ctx, &key, bytes, sizeof(bytes)))
		return false;
	pthread_once(&of_g_made, make_of_g);
	points[n++] = &key;
	for (unsigned j = 0; j < 32; j++)
		if (tweak[31 - j])
			points[n++] = &of_g[j][tweak[31 - j]];
	if (!secp256k1_ec_pubkey_combine(ctx, &sum, points, n))
		return false;
	secp256k1_ec_pubkey_serialize(ctx, bytes, &len, &sum, SECP256K1_EC_COMPRESSED);
	*ret_parity = bytes[0] & 1;
	memcpy(ret_output, bytes + 1, 32);
	return true;
}

bool rc_xonly_tweak_check(const uint8_t output[32], int parity, const uint8_t internal[32],
			  const uint8_t tweak[32], bool *ret_key_bad)
{
	uint8_t sum[32];
	int sum_parity = 0;
	bool lifts = tweak_by_table(internal, tweak, sum, &sum_parity);

	if (ret_key_bad)
		*ret_key_bad = !lifts;
	return lifts && sum_parity == parity && memcmp(sum, output, sizeof(sum)) == 0;
}

bool rc_secret_tweak(const uint8_t secret[32], const uint8_t tweak[32], uint8_t ret_secret[32])
{
	const secp256k1_context *ctx = rc_secp_secret_context();
	secp256k1_keypair pair;
	bool ok;

	ok = secp256k1_keypair_create(ctx, &pair, secret) &&
	     secp256k1_keypair_xonly_tweak_add(ctx, &pair, tweak) &&
	     secp256k1_keypair_sec(ctx, ret_secret, &pair);
	rc_wipe(&pair, sizeof(pair));
	return ok;
}
