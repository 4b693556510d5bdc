/* See ecdh.h. */
#include "crypto/ecdh.h"

#include <string.h>

#include <secp256k1.h>
#include <secp256k1_ecdh.h>

#include "base/mem.h"
#include "crypto/secp.h"

bool rc_point_from_secret(const uint8_t secret[32], uint8_t ret_point[RC_POINT_SIZE])
{
	const secp256k1_context *ctx = rc_secp_secret_context();
	size_t len = RC_POINT_SIZE;
	secp256k1_pubkey key;

	return secp256k1_ec_pubkey_create(ctx, &key, secret) &&
	       secp256k1_ec_pubkey_serialize(ctx, ret_point, &len, &key, SECP256K1_EC_COMPRESSED);
}

/* The parser also takes 65-byte and hybrid keys; the length keeps those out. */
static bool parse(const uint8_t point[RC_POINT_SIZE], secp256k1_pubkey *ret_key)
{
	return secp256k1_ec_pubkey_parse(rc_secp_public_context(), ret_key, point, RC_POINT_SIZE);
}

bool rc_point_valid(const uint8_t point[RC_POINT_SIZE])
{
	secp256k1_pubkey key;

	return parse(point, &key);
}

bool rc_secret_valid(const uint8_t secret[32])
{
	return secp256k1_ec_seckey_verify(rc_secp_public_context(), secret);
}

bool rc_ecdh(const uint8_t secret[32], const uint8_t point[RC_POINT_SIZE], uint8_t ret_shared[32])
{
	uint8_t shared[32];
	secp256k1_pubkey key;

	if (!parse(point, &key) ||
	    !secp256k1_ecdh(rc_secp_public_context(), shared, &key, secret, NULL, NULL))
		return false;
	memcpy(ret_shared, shared, sizeof(shared));
	rc_wipe(shared, sizeof(shared));
	return true;
}
