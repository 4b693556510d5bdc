/* See ripemd160.h. */
#include "crypto/ripemd160.h"

#include <stdlib.h>

#include <openssl/evp.h>

#include "base/log.h"
#include "crypto/sha256.h"

void rc_hash160(const void *data, size_t len, uint8_t ret_hash[20])
{
	uint8_t inner[32];

	rc_sha256(data, len, inner);
	if (EVP_Digest(inner, sizeof(inner), ret_hash, NULL, EVP_ripemd160(), NULL) == 1)
		return;
	rc_log(RC_LOG_CRIT, "this OpenSSL has no RIPEMD-160, which wallet keys need (its default "
			    "provider holds it from 3.0.7 on): ending");
	abort();
}
