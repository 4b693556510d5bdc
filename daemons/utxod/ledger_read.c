/* Coins and entries of a version: from memory where it knows, else from the disk. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "daemons/utxod/ledger_internal.h"

void coin_disk_key(const struct rc_outpoint *outpoint, uint8_t ret_key[COIN_DISK_KEY])
{
	ret_key[0] = 'c';
	rc_outpoint_key_encode(outpoint, ret_key + 1);
}

size_t entry_disk_key(unsigned ns, const uint8_t *key, uint8_t ret_key[ENTRY_DISK_KEY])
{
	size_t len = rc_state_key_len(ns);

	ret_key[0] = 'e';
	ret_key[1] = (uint8_t)ns;
	memcpy(ret_key + 2, key, len);
	return 2 + len;
}

/* Coins asked of the disk: which, and where their answers go. */
struct disk_coins {
	uint8_t (*key)[COIN_DISK_KEY];
	uint32_t *at; /* index in the caller's arrays */
	struct rc_bytes *bytes;
	struct rc_coin *coins;
	size_t n;
	bool damaged;
};

static int compare_at(const void *a, const void *b, void *arg)
{
	const struct rc_outpoint *outpoints = arg;

	return rc_outpoint_cmp(&outpoints[*(const uint32_t *)a], &outpoints[*(const uint32_t *)b]);
}

static void on_coin(void *arg, size_t i, struct rc_bytes value)
{
	struct disk_coins *d = arg;

	if (!rc_coin_value_decode(value.data, value.len, &d->coins[d->at[i]]))
		d->damaged = true;
}

static int ask_disk(const struct ledger_view *view, const struct rc_outpoint *outpoints,
		    struct disk_coins *d, struct rc_error *error)
{
	struct disk *disk = view->ledger->disks.state;
	int err;

	for (size_t i = 1; i < d->n; i++) {
		if (rc_outpoint_cmp(&outpoints[d->at[i - 1]], &outpoints[d->at[i]]) <= 0)
			continue;
		qsort_r(d->at, d->n, sizeof(*d->at), compare_at, (void *)outpoints);
		break;
	}
	for (size_t i = 0; i < d->n; i++) {
		coin_disk_key(&outpoints[d->at[i]], d->key[i]);
		d->bytes[i] = (struct rc_bytes){d->key[i], COIN_DISK_KEY};
	}
	err = disk->ops->multi_get(disk, d->bytes, d->n, on_coin, d, error);
	if (!err && d->damaged)
		err = rc_error_set(error, RC_EFORMAT, "state: a coin's value is damaged");
	return err;
}

/* What changed while the disk was asked is known in memory now. */
static void settle_coins(const struct ledger_view *view, const struct rc_outpoint *outpoints,
			 struct disk_coins *d)
{
	struct coinmap *map = view->ledger->coins;

	for (size_t i = 0; i < d->n; i++) {
		const struct rc_outpoint *o = &outpoints[d->at[i]];
		struct rc_coin *coin = &d->coins[d->at[i]];

		switch (coinmap_get(map, view->version->seq, o, coin)) {
		case COINMAP_ASK_DISK:
			if (coin->lock_len)
				coinmap_remember(map, o, coin);
			break;
		case COINMAP_ABSENT:
			memset(coin, 0, sizeof(*coin));
			break;
		case COINMAP_FOUND:
			break;
		}
	}
}

int ledger_coins(const struct ledger_view *view, const struct rc_outpoint *outpoints, size_t n,
		 struct rc_coin *ret_coins, struct rc_error *error)
{
	RC_AUTOFREE uint32_t *at = rc_alloc_array(n, sizeof(*at));
	RC_AUTOFREE uint8_t(*keys)[COIN_DISK_KEY] = NULL;
	RC_AUTOFREE struct rc_bytes *bytes = NULL;
	struct disk_coins d = {.at = at, .coins = ret_coins};
	int err;

	for (size_t i = 0; i < n; i++) {
		memset(&ret_coins[i], 0, sizeof(ret_coins[i]));
		if (coinmap_get(view->ledger->coins, view->version->seq, &outpoints[i],
				&ret_coins[i]) == COINMAP_ASK_DISK)
			at[d.n++] = (uint32_t)i;
	}
	if (!d.n)
		return RC_OK;
	keys = rc_alloc_array(d.n, COIN_DISK_KEY);
	bytes = rc_alloc_array(d.n, sizeof(*bytes));
	d.key = keys;
	d.bytes = bytes;
	err = ask_disk(view, outpoints, &d, error);
	if (!err)
		settle_coins(view, outpoints, &d);
	return err;
}

int ledger_entry(const struct ledger_view *view, unsigned ns, const uint8_t *key,
		 struct rc_buf *value, struct rc_error *error)
{
	struct disk *disk = view->ledger->disks.state;
	struct registry *registry = view->ledger->registry;
	uint8_t disk_key[ENTRY_DISK_KEY];
	size_t len = entry_disk_key(ns, key, disk_key), start = value->len;
	struct rc_buf again = RC_BUF_INIT;
	bool there;
	int err;

	assert(ns > RC_STATE_COINS && rc_state_key_len(ns));
	if (registry_get(registry, view->version->seq, ns, key, &there, value))
		return there ? RC_OK : RC_ENOENT;
	err = disk->ops->get(disk, disk_key, len, value, error);
	if (err && err != RC_ENOENT)
		return err;
	/* What changed while the disk was asked is known in memory now. */
	if (registry_get(registry, view->version->seq, ns, key, &there, &again)) {
		value->len = start;
		rc_buf_put(value, again.data, again.len);
		err = there ? RC_OK : RC_ENOENT;
	}
	rc_buf_done(&again);
	return err;
}
