/* Pieces are put into one bucket a length, then copied together and hashed by the batch. */
#include "types/hash_batch.h"

#include <string.h>

enum {
	LANES = 16,    /* messages a batch: the widest implementation's lanes */
	LONGEST = 384, /* a longer message gains little, and a buffer of it costs cache */
	WORTH = 4,     /* fewer messages of a length are hashed one by one */
};

#define NONE UINT32_MAX

static void hash_bucket(enum rc_tag tag, const struct rc_hash_piece *pieces, const uint32_t *next,
			uint32_t first)
{
	uint8_t messages[LANES * LONGEST], hashes[LANES * 32];
	const struct rc_hash_piece *batch[LANES];
	size_t len = pieces[first].len;

	while (first != NONE) {
		size_t n = 0;

		for (; first != NONE && n < LANES; first = next[first]) {
			batch[n] = &pieces[first];
			memcpy(messages + n * len, batch[n]->data, len);
			n++;
		}
		if (n < WORTH) {
			for (size_t i = 0; i < n; i++)
				rc_tagged_hash(tag, batch[i]->data, len, batch[i]->ret);
			continue;
		}
		rc_tagged_hash_many(tag, messages, len, len, n, hashes);
		for (size_t i = 0; i < n; i++)
			memcpy(batch[i]->ret, hashes + 32 * i, 32);
	}
}

void rc_hash_pieces(enum rc_tag tag, const struct rc_hash_piece *pieces, size_t n,
		    struct rc_arena *arena)
{
	uint32_t first[LONGEST + 1];
	uint32_t *next;

	if (n < WORTH) {
		for (size_t i = 0; i < n; i++)
			rc_tagged_hash(tag, pieces[i].data, pieces[i].len, pieces[i].ret);
		return;
	}
	memset(first, 0xff, sizeof(first));
	next = rc_arena_alloc(arena, n * sizeof(*next));
	for (size_t i = n; i-- > 0;) {
		size_t len = pieces[i].len;

		if (len > LONGEST) {
			rc_tagged_hash(tag, pieces[i].data, len, pieces[i].ret);
			continue;
		}
		next[i] = first[len];
		first[len] = (uint32_t)i;
	}
	for (size_t len = 0; len <= LONGEST; len++)
		if (first[len] != NONE)
			hash_bucket(tag, pieces, next, first[len]);
}
