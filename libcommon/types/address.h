/* What people call an address: the text of a KEY lock (crypto.md, 5.2). There are no others. */
#ifndef RC_TYPES_ADDRESS_H
#define RC_TYPES_ADDRESS_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "types/bech32m.h"

#define RC_ADDRESS_SIZE (RC_BECH32M_MAX + 1) /* with the terminator */

/* The address of a KEY lock's 32-byte output key. hrp: the network's, 1…15 letters. */
void rc_address_encode(const char *hrp, const uint8_t output_key[32],
		       char ret_text[RC_ADDRESS_SIZE]);

/*
 * The output key of an address. RC_ENETWORK if it is another network's; RC_EINVAL with the reason
 * otherwise. Whether the key is on the curve is told by rc_xonly_valid: a wallet asks that too.
 */
int rc_address_decode(const char *text, const char *hrp, uint8_t ret_output_key[32],
		      struct rc_error *error);

#endif
