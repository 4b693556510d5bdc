/* The delta's one encoding, and its strict parser. */
#include "types/delta.h"

#include "base/buf.h"
#include "base/reader.h"

#define DELTA_VERSION 1
#define HAS_BEFORE    1u
#define HAS_AFTER     2u
/* Least sizes, so that a count is refused before memory is taken. */
#define COIN_LEAST  (RC_OUTPOINT_SIZE + RC_COIN_VALUE_LEAST)
#define ENTRY_LEAST (1 + 32 + 1 + 1)

static void put_coins(struct rc_buf *buf, const struct rc_delta_coin *coins, uint32_t n)
{
	rc_buf_put_cs(buf, n);
	for (uint32_t i = 0; i < n; i++) {
		uint8_t *p = rc_buf_reserve(buf, RC_OUTPOINT_SIZE + RC_COIN_VALUE_MAX);

		rc_outpoint_key_encode(&coins[i].outpoint, p);
		rc_buf_add(buf, RC_OUTPOINT_SIZE +
					rc_coin_value_encode(&coins[i].coin, p + RC_OUTPOINT_SIZE));
	}
}

static void put_value(struct rc_buf *buf, struct rc_bytes value)
{
	rc_buf_put_cs(buf, value.len);
	rc_buf_put(buf, value.data, value.len);
}

/* Version, parent, id, height, three counts. */
#define DELTA_LEAST (1 + 32 + 32 + 4 + 3)

void rc_delta_encode(const struct rc_delta *delta, struct rc_buf *buf)
{
	/* A full block's is near a megabyte: it isn't copied as it grows. */
	rc_buf_reserve(buf, DELTA_LEAST + ((size_t)delta->n_spent + delta->n_created) *
						  (RC_OUTPOINT_SIZE + RC_COIN_VALUE_MAX));
	rc_buf_put_u8(buf, DELTA_VERSION);
	rc_buf_put(buf, delta->parent.b, 32);
	rc_buf_put(buf, delta->id.b, 32);
	rc_buf_put_le32(buf, delta->height);
	put_coins(buf, delta->spent, delta->n_spent);
	put_coins(buf, delta->created, delta->n_created);
	rc_buf_put_cs(buf, delta->n_entries);
	for (uint32_t i = 0; i < delta->n_entries; i++) {
		const struct rc_delta_entry *e = &delta->entries[i];

		rc_buf_put_u8(buf, e->ns);
		rc_buf_put(buf, e->key, rc_state_key_len(e->ns));
		rc_buf_put_u8(buf,
			      (e->has_before ? HAS_BEFORE : 0) | (e->has_after ? HAS_AFTER : 0));
		if (e->has_before)
			put_value(buf, e->before);
		if (e->has_after)
			put_value(buf, e->after);
	}
}

static void read_coins(struct rc_reader *r, struct rc_arena *arena, uint32_t *ret_n,
		       struct rc_delta_coin **ret_coins)
{
	size_t n = rc_read_count(r, COIN_LEAST);
	struct rc_delta_coin *coins = n ? rc_arena_alloc(arena, n * sizeof(*coins)) : NULL;

	*ret_n = (uint32_t)n;
	*ret_coins = coins;
	for (size_t i = 0; i < n && !r->failed; i++) {
		const uint8_t *key = rc_read_bytes(r, RC_OUTPOINT_SIZE);

		if (!key)
			return;
		rc_outpoint_key_decode(key, &coins[i].outpoint);
		rc_coin_read(r, &coins[i].coin);
		if (i > 0 && rc_outpoint_cmp(&coins[i - 1].outpoint, &coins[i].outpoint) >= 0)
			r->failed = true;
	}
}

static struct rc_bytes read_value(struct rc_reader *r)
{
	size_t n = rc_read_count(r, 1);

	return (struct rc_bytes){rc_read_bytes(r, n), n};
}

static void read_entry(struct rc_reader *r, struct rc_delta_entry *e)
{
	uint8_t flags;

	memset(e, 0, sizeof(*e));
	e->ns = rc_read_u8(r);
	if (e->ns == RC_STATE_COINS || rc_state_key_len(e->ns) == 0) {
		r->failed = true;
		return;
	}
	rc_read_into(r, e->key, rc_state_key_len(e->ns));
	flags = rc_read_u8(r);
	if (flags < 1 || flags > (HAS_BEFORE | HAS_AFTER))
		r->failed = true;
	e->has_before = flags & HAS_BEFORE;
	e->has_after = flags & HAS_AFTER;
	if (e->has_before)
		e->before = read_value(r);
	if (e->has_after)
		e->after = read_value(r);
	if (!r->failed && e->has_before && e->has_after && e->before.len == e->after.len &&
	    memcmp(e->before.data, e->after.data, e->after.len) == 0)
		r->failed = true;
}

static void read_entries(struct rc_reader *r, struct rc_arena *arena, struct rc_delta *delta)
{
	size_t n = rc_read_count(r, ENTRY_LEAST);

	delta->n_entries = (uint32_t)n;
	delta->entries = n ? rc_arena_alloc(arena, n * sizeof(*delta->entries)) : NULL;
	for (size_t i = 0; i < n && !r->failed; i++) {
		struct rc_delta_entry *e = &delta->entries[i];

		read_entry(r, e);
		if (i > 0 && (e[-1].ns > e->ns || (e[-1].ns == e->ns &&
						   memcmp(e[-1].key, e->key, sizeof(e->key)) >= 0)))
			r->failed = true;
	}
}

/* Created coins have the delta's height, and none of them is spent in it. */
static bool lists_agree(const struct rc_delta *delta)
{
	uint32_t s = 0;

	for (uint32_t c = 0; c < delta->n_created; c++) {
		const struct rc_outpoint *o = &delta->created[c].outpoint;

		if (delta->created[c].coin.height != delta->height)
			return false;
		while (s < delta->n_spent && rc_outpoint_cmp(&delta->spent[s].outpoint, o) < 0)
			s++;
		if (s < delta->n_spent && rc_outpoint_eq(&delta->spent[s].outpoint, o))
			return false;
	}
	return true;
}

static bool read_head(struct rc_reader *r, struct rc_delta *delta)
{
	memset(delta, 0, sizeof(*delta));
	if (rc_read_u8(r) != DELTA_VERSION)
		return false;
	rc_read_into(r, delta->parent.b, 32);
	rc_read_into(r, delta->id.b, 32);
	delta->height = rc_read_le32(r);
	return !r->failed;
}

bool rc_delta_decode(const void *data, size_t len, struct rc_arena *arena,
		     struct rc_delta *ret_delta)
{
	struct rc_reader r = rc_reader_of(data, len);
	struct rc_delta delta;

	if (!read_head(&r, &delta))
		return false;
	read_coins(&r, arena, &delta.n_spent, &delta.spent);
	read_coins(&r, arena, &delta.n_created, &delta.created);
	read_entries(&r, arena, &delta);
	if (!rc_reader_end(&r) || !lists_agree(&delta))
		return false;
	*ret_delta = delta;
	return true;
}

bool rc_delta_decode_head(const void *data, size_t len, struct rc_delta *ret_head)
{
	struct rc_reader r = rc_reader_of(data, len);
	struct rc_delta head;

	if (!read_head(&r, &head))
		return false;
	*ret_head = head;
	return true;
}
