/*
 * The payment that isn't settled: signed, and perhaps sent. It is kept in FILE.pending beside the
 * wallet's file, from before it leaves until it is known what became of it and told to who ordered
 * it, so that whatever happens meanwhile, who pays again sends the same transaction and not
 * another.
 *
 * A JSON object: "order" (what was asked for: address, amount in oxides or "all", subtract_fee, and
 * id if one was given), "report" (what `send` prints), "made" (when: seconds since 1970), "hex"
 * (the signed transaction). It holds no secret, and is no more readable to others than the wallet.
 */
#ifndef WALLET_PENDING_H
#define WALLET_PENDING_H

#include <jansson.h>

#include "tools/rusty-wallet/wallet.h"

#define PENDING_ID_MAX 200 /* bytes of an order's id */
#define PENDING_WHEN   96  /* text of pending_when */

struct pending {
	json_t *kept; /* NULL: there is none */
	struct rc_buf raw;
	struct rc_txid txid;
};

/* RC_EFORMAT if the file is damaged; no file is fine. */
int pending_load(const struct wallet *wallet, struct pending *ret, struct rc_error *error);
void pending_done(struct pending *pending);

/* Durable when it returns. The order and the report are not taken over. made: seconds since 1970.
 */
int pending_save(const struct wallet *wallet, json_t *order, json_t *report, struct rc_bytes raw,
		 int64_t made, struct rc_error *error);
/* Durably too; fine if there is none. Where it is gone but not durably, that is success, and said
 * on standard error: the payment's fate doesn't depend on it. */
int pending_remove(const struct wallet *wallet, struct rc_error *error);

/* Whether a text can be an order's id: 1 to PENDING_ID_MAX bytes, UTF-8, no control characters. */
bool pending_good_id(const char *id);

/* ", made 2026-11-23T01:02:03Z (7 days ago),"; returns text. */
const char *pending_when(const struct pending *p, char text[PENDING_WHEN]);
/* The same as members: made, age_seconds. */
void pending_put_when(const struct pending *p, json_t *object);

/* What it spends, a list of "TXID:N". */
json_t *pending_coins(const struct pending *p);

#endif
