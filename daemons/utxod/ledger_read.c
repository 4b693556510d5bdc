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

/* Coins asked of the disk, ascending. */
struct disk_coins {
	uint32_t *at; /* index in the caller's arrays */
	struct rc_outpoint *outpoints;
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

	if (!rc_coin_value_decode(value.data, value.len, &d->coins[i]))
		d->damaged = true;
}

static void sort_coins(struct disk_coins *d, const struct rc_outpoint *outpoints)
{
	for (size_t i = 1; i < d->n; i++) {
		if (rc_outpoint_cmp(&outpoints[d->at[i - 1]], &outpoints[d->at[i]]) <= 0)
			continue;
		qsort_r(d->at, d->n, sizeof(*d->at), compare_at, (void *)outpoints);
		break;
	}
	for (size_t i = 0; i < d->n; i++)
		d->outpoints[i] = outpoints[d->at[i]];
}

static int ask_disk(const struct ledger_view *view, struct disk_coins *d, struct rc_error *error)
{
	struct disk *disk = view->ledger->disks.state;
	RC_AUTOFREE uint8_t(*key)[COIN_DISK_KEY] = rc_alloc_array(d->n, COIN_DISK_KEY);
	RC_AUTOFREE struct rc_bytes *keys = rc_alloc_array(d->n, sizeof(*keys));
	int err;

	for (size_t i = 0; i < d->n; i++) {
		coin_disk_key(&d->outpoints[i], key[i]);
		keys[i] = (struct rc_bytes){key[i], COIN_DISK_KEY};
	}
	err = disk->ops->multi_get(disk, keys, d->n, on_coin, d, error);
	if (!err && d->damaged)
		err = rc_error_set(error, RC_EFORMAT, "state: a coin's value is damaged");
	return err;
}

int ledger_coins(const struct ledger_view *view, const struct rc_outpoint *outpoints, size_t n,
		 struct rc_coin *ret_coins, struct rc_error *error)
{
	struct coinmap *map = view->ledger->coins;
	const struct coinmap_at now = {view->version->seq, view->from_disk, view->written};
	RC_AUTOFREE enum coinmap_answer *answers = rc_alloc_array(n, sizeof(*answers));
	RC_AUTOFREE uint32_t *at = rc_alloc_array(n, sizeof(*at));
	RC_AUTOFREE struct rc_outpoint *missing = NULL;
	RC_AUTOFREE struct rc_coin *coins = NULL;
	struct disk_coins d = {.at = at};
	int err;

	memset(ret_coins, 0, n * sizeof(*ret_coins));
	coinmap_get(map, &now, outpoints, n, ret_coins, answers);
	for (size_t i = 0; i < n; i++)
		if (answers[i] == COINMAP_ASK_DISK)
			at[d.n++] = (uint32_t)i;
	if (!d.n)
		return RC_OK;
	d.outpoints = missing = rc_alloc_array(d.n, sizeof(*missing));
	d.coins = coins = rc_alloc_array(d.n, sizeof(*coins));
	sort_coins(&d, outpoints);
	err = ask_disk(view, &d, error);
	if (err)
		return err;
	coinmap_settle(map, &now, d.outpoints, d.n, d.coins);
	for (size_t i = 0; i < d.n; i++)
		ret_coins[at[i]] = d.coins[i];
	return RC_OK;
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
