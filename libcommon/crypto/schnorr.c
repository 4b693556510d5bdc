/* See schnorr.h. */
#include "crypto/schnorr.h"

#include <assert.h>
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

bool rc_xonly_tweak_check(const uint8_t output[32], int parity, const uint8_t internal[32],
			  const uint8_t tweak[32], bool *ret_key_bad)
{
	uint8_t sum[32];
	int sum_parity = 0;
	bool lifts = rc_xonly_tweak(internal, tweak, sum, &sum_parity);

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
