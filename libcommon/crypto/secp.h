/* The one secp256k1 context of the process, for the files of crypto/ that do arithmetic with
 * secrets. Nothing outside crypto/ includes this. */
#ifndef RC_CRYPTO_SECP_H
#define RC_CRYPTO_SECP_H

#include <secp256k1.h>

/* The randomised context that rc_schnorr_init made; asserts that it was called. */
const secp256k1_context *rc_secp_secret_context(void);

/* The library's constant context: parsing, verifying and arithmetic with public numbers. */
static inline const secp256k1_context *rc_secp_public_context(void)
{
	return secp256k1_context_static;
}

#endif
