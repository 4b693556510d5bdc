/* See pending.h. */
#include "tools/rusty-wallet/pending.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hex.h"
#include "types/tx.h"

/* A transaction of the greatest size in hexadecimal, and some 500 bytes around it. */
#define FILE_MAX (2u * WALLET_STANDARD_MAX + 4096)

static char *path_of(const struct wallet *wallet)
{
	return rc_asprintf("%s.pending", wallet->file);
}

/* The signed transaction of the file's "hex"; its id must be the one reported. */
static bool take_transaction(struct pending *p)
{
	const char *hex = json_string_value(json_object_get(p->kept, "hex"));
	const char *told =
		json_string_value(json_object_get(json_object_get(p->kept, "report"), "txid"));
	struct rc_arena arena = RC_ARENA_INIT;
	size_t len = hex ? strlen(hex) / 2 : 0;
	struct rc_txid want;
	struct rc_tx tx;
	bool ok = len && len <= WALLET_STANDARD_MAX && told && rc_txid_from_hex(told, &want) &&
		  rc_hex_decode(hex, rc_buf_add(&p->raw, len), len) &&
		  rc_tx_decode(p->raw.data, len, &arena, &tx) && rc_txid_eq(&tx.txid, &want);

	if (ok)
		p->txid = want;
	rc_arena_done(&arena);
	return ok;
}

static bool has_order(const struct pending *p)
{
	const json_t *order = json_object_get(p->kept, "order");

	return json_is_string(json_object_get(order, "address")) &&
	       json_is_string(json_object_get(order, "amount")) &&
	       json_is_boolean(json_object_get(order, "subtract_fee"));
}

int pending_load(const struct wallet *wallet, struct pending *ret, struct rc_error *error)
{
	RC_AUTOFREE char *path = path_of(wallet);
	struct rc_buf text = RC_BUF_INIT;
	struct pending p = {0};
	int err = RC_OK;

	*ret = p;
	if (access(path, F_OK) < 0 && errno == ENOENT)
		return RC_OK;
	err = rc_file_read(path, FILE_MAX, &text, error);
	if (err == RC_OK) {
		p.kept =
			json_loadb((const char *)text.data, text.len, JSON_REJECT_DUPLICATES, NULL);
		if (!take_transaction(&p) || !has_order(&p))
			err = rc_error_set(error, RC_EFORMAT,
					   "%s is damaged: a payment that may have been sent was "
					   "kept there; look for it (rusty-wallet balance), then "
					   "remove that file",
					   path);
	}
	rc_buf_done(&text);
	if (err < 0)
		pending_done(&p);
	else
		*ret = p;
	return err;
}

void pending_done(struct pending *pending)
{
	json_decref(pending->kept);
	rc_buf_done(&pending->raw);
	*pending = (struct pending){0};
}

/* Text of Jansson's, by its allocator (secret.c). */
static void free_text(char *text)
{
	json_free_t give_back;

	json_get_alloc_funcs(NULL, &give_back);
	give_back(text);
}

int pending_save(const struct wallet *wallet, json_t *order, json_t *report, struct rc_bytes raw,
		 struct rc_error *error)
{
	RC_AUTOFREE char *path = path_of(wallet);
	RC_AUTOFREE char *hex = rc_alloc(2 * raw.len + 1);
	json_t *kept = json_pack("{s:O,s:O,s:s}", "order", order, "report", report, "hex",
				 rc_hex_encode(hex, raw.data, raw.len));
	char *text = json_dumps(kept, JSON_INDENT(2));
	int err = rc_file_replace(path, text, strlen(text), 0600, error);

	free_text(text);
	json_decref(kept);
	return err;
}

int pending_remove(const struct wallet *wallet, struct rc_error *error)
{
	RC_AUTOFREE char *path = path_of(wallet);

	return rc_file_remove(path, error);
}
