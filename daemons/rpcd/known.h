/*
 * Blocks that were asked for lately, so that the next one who asks needn't wait for chaind: bodies,
 * which never change, within a bound of bytes; and headers of the best chain with what is known of
 * them, which hold for one tip and are forgotten when it moves.
 */
#ifndef RPCD_KNOWN_H
#define RPCD_KNOWN_H

#include "client/chaind.h"
#include "daemons/rpcd/rpcd.h"

struct known;

struct known *known_new(struct rpcd *rpcd, size_t body_bytes_max);
void known_free(struct known *known); /* NULL is fine */

/* What chaind would say now; NULL: ask it. The raw bytes are the header's. Valid during the
 * caller's turn. */
const struct rc_header_info *known_header(struct known *known, const struct rc_block_id *id);
/* An answer of chaind's, kept if it is of the best chain of the tip that is known here. */
void known_put_header(struct known *known, const struct rc_block_id *id,
		      const struct rc_header_info *info);

/* The block's bytes, no data: not here. Valid during the caller's turn. */
struct rc_bytes known_body(struct known *known, const struct rc_block_id *id);
/* Copied. One that is larger than the bound isn't kept. */
void known_put_body(struct known *known, const struct rc_block_id *id, struct rc_bytes body);

#endif
