/* See pending.h. */
#include "tools/rusty-wallet/pending.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/hex.h"
#include "types/tx.h"

/* A transaction of the greatest size in hexadecimal, some 500 bytes around it, and an id of 200
 * bytes, each of which JSON writes as 2 at most (control characters are none of it). */
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
	       json_is_boolean(json_object_get(order, "subtract_fee")) &&
	       json_is_integer(json_object_get(p->kept, "made"));
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
		 int64_t made, struct rc_error *error)
{
	RC_AUTOFREE char *path = path_of(wallet);
	RC_AUTOFREE char *hex = rc_alloc(2 * raw.len + 1);
	json_t *kept = json_pack("{s:O,s:O,s:I,s:s}", "order", order, "report", report, "made",
				 (json_int_t)made, "hex", rc_hex_encode(hex, raw.data, raw.len));
	char *text = json_dumps(kept, JSON_INDENT(2));
	int err = rc_file_replace(path, text, strlen(text), 0600, error);

	free_text(text);
	json_decref(kept);
	return err;
}

int pending_remove(const struct wallet *wallet, struct rc_error *error)
{
	RC_AUTOFREE char *path = path_of(wallet);
	int err = rc_file_remove(path, error);

	if (err != RC_ESYNC)
		return err;
	fprintf(stderr,
		"rusty-wallet: %s is removed, but after a power failure it may be there again\n",
		path);
	return RC_OK;
}

bool pending_good_id(const char *id)
{
	json_t *text = json_string(id); /* NULL: not UTF-8 */
	size_t len = strlen(id);
	bool ok = text && len && len <= PENDING_ID_MAX;

	for (size_t i = 0; i < len; i++)
		ok &= (unsigned char)id[i] >= ' ' && id[i] != 0x7f;
	json_decref(text);
	return ok;
}

static json_int_t made(const struct pending *p)
{
	return json_integer_value(json_object_get(p->kept, "made"));
}

/* 0 if the clock was set back. */
static json_int_t age(const struct pending *p)
{
	json_int_t seconds = (json_int_t)(rc_wall_ms(&rc_clock_system) / 1000) - made(p);

	return seconds > 0 ? seconds : 0;
}

/* "2026-11-23T01:02:03Z" */
static void put_time(const struct pending *p, char text[32])
{
	time_t t = (time_t)made(p);
	struct tm tm = {0};

	gmtime_r(&t, &tm);
	if (!strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", &tm))
		snprintf(text, 32, "?");
}

const char *pending_when(const struct pending *p, char text[PENDING_WHEN])
{
	static const struct {
		json_int_t seconds;
		const char *name;
	} units[] = {{86400, "days"}, {3600, "hours"}, {60, "minutes"}, {1, "seconds"}};
	json_int_t seconds = age(p);
	char time[32];
	size_t u = 0;

	/* Less than two of a unit are told in the next smaller one. */
	while (u < RC_ARRAY_LEN(units) - 1 && seconds < 2 * units[u].seconds)
		u++;
	put_time(p, time);
	snprintf(text, PENDING_WHEN, ", made %s (%lld %s ago),", time,
		 (long long)(seconds / units[u].seconds), units[u].name);
	return text;
}

void pending_put_when(const struct pending *p, json_t *object)
{
	char time[32];

	put_time(p, time);
	json_object_set_new(object, "made", json_string(time));
	json_object_set_new(object, "age_seconds", json_integer(age(p)));
}

json_t *pending_coins(const struct pending *p)
{
	struct rc_arena arena = RC_ARENA_INIT;
	json_t *coins = json_array();
	char txid[RC_ID_HEX];
	struct rc_tx tx;

	if (rc_tx_decode(p->raw.data, p->raw.len, &arena, &tx)) /* as when it was loaded */
		for (uint32_t i = 0; i < tx.n_inputs; i++) {
			const struct rc_outpoint *at = &tx.inputs[i].prevout;
			RC_AUTOFREE char *coin =
				rc_asprintf("%s:%u", rc_txid_hex(txid, &at->txid), at->index);

			json_array_append_new(coins, json_string(coin));
		}
	rc_arena_done(&arena);
	return coins;
}
