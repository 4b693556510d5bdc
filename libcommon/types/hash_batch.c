/* Pieces are put into one bucket a length, then copied together and hashed by the batch. */
#include "types/hash_batch.h"

#include <string.h>

enum {
	LANES = 16,    /* messages a batch: the widest implementation's lanes */
	LONGEST = 384, /* a longer message gains little, and a buffer of it costs cache */
	ROUND = 1024,  /* pieces looked at together: what lists of them need fits the stack */
	WORTH = 4,     /* fewer messages of a length are hashed one by one */
};

#define NONE UINT16_MAX

static void hash_bucket(enum rc_tag tag, const struct rc_hash_piece *pieces, const uint16_t *next,
			uint16_t first)
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

/* At most ROUND pieces: their buckets are lists by place. */
static void hash_round(enum rc_tag tag, const struct rc_hash_piece *pieces, size_t n)
{
	uint16_t first[LONGEST + 1], next[ROUND];

	memset(first, 0xff, sizeof(first));
	for (size_t i = n; i-- > 0;) {
		size_t len = pieces[i].len;

		if (len > LONGEST) {
			rc_tagged_hash(tag, pieces[i].data, len, pieces[i].ret);
			continue;
		}
		next[i] = first[len];
		first[len] = (uint16_t)i;
	}
	for (size_t len = 0; len <= LONGEST; len++)
		if (first[len] != NONE)
			hash_bucket(tag, pieces, next, first[len]);
}

void rc_hash_pieces(enum rc_tag tag, const struct rc_hash_piece *pieces, size_t n)
{
	while (n > 0) {
		size_t now = n < ROUND ? n : ROUND;

		hash_round(tag, pieces, now);
		pieces += now;
		n -= now;
	}
}
