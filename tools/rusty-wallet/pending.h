/*
 * The payment that isn't settled: signed, and perhaps sent. It is kept in FILE.pending beside the
 * wallet's file, from before it leaves until it is known and told what became of it, so that
 * whatever happens meanwhile, who pays again sends the same transaction and not another.
 *
 * A JSON object: "order" (what was asked for: address, amount in oxides or "all", subtract_fee),
 * "report" (what `send` prints), "hex" (the signed transaction). It holds no secret, and is no more
 * readable to others than the wallet.
 */
#ifndef WALLET_PENDING_H
#define WALLET_PENDING_H

#include <jansson.h>

#include "tools/rusty-wallet/wallet.h"

struct pending {
	json_t *kept; /* NULL: there is none */
	struct rc_buf raw;
	struct rc_txid txid;
};

/* RC_EFORMAT if the file is damaged; no file is fine. */
int pending_load(const struct wallet *wallet, struct pending *ret, struct rc_error *error);
void pending_done(struct pending *pending);

/* Durable when it returns. The order and the report are not taken over. */
int pending_save(const struct wallet *wallet, json_t *order, json_t *report, struct rc_bytes raw,
		 struct rc_error *error);
/* Durably too; fine if there is none. */
int pending_remove(const struct wallet *wallet, struct rc_error *error);

#endif
