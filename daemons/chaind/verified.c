/* The table of verified transactions. See verified.h. */
#include "daemons/chaind/verified.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/num.h"

/* Members of a bucket: two cache lines. */
#define BUCKET 4

struct entry {
	uint8_t b[32];
};

struct verified {
	pthread_mutex_t lock;
	struct rc_sha256 salted; /* after the salt: a key is a copy, one compression away */
	uint64_t victim;
	size_t n_buckets;
	struct entry *entries; /* all zero: free */
};

struct verified *verified_new(size_t bytes, const struct rc_random *random)
{
	struct verified *v = rc_alloc(sizeof(*v));
	uint8_t salt[64]; /* one block */

	rc_random_fill(random, salt, sizeof(salt));
	rc_sha256_init(&v->salted);
	rc_sha256_update(&v->salted, salt, sizeof(salt));
	v->n_buckets = bytes / (BUCKET * sizeof(struct entry));
	if (v->n_buckets == 0)
		v->n_buckets = 1;
	v->entries = rc_alloc_array(v->n_buckets * BUCKET, sizeof(struct entry));
	pthread_mutex_init(&v->lock, NULL);
	return v;
}

void verified_free(struct verified *v)
{
	if (!v)
		return;
	pthread_mutex_destroy(&v->lock);
	free(v->entries);
	free(v);
}

/* Salted, so that nobody outside can choose which entries fall together. */
void verified_find(const struct verified *v, const struct rc_wtxid *wtxid,
		   struct verified_place *ret_place)
{
	struct rc_sha256 s = v->salted;
	const struct entry *bucket;

	rc_sha256_update(&s, wtxid->b, sizeof(wtxid->b));
	rc_sha256_final(&s, ret_place->key);
	ret_place->bucket = rc_get_le64(ret_place->key) % v->n_buckets;
	bucket = v->entries + ret_place->bucket * BUCKET;
	__builtin_prefetch(bucket);
	__builtin_prefetch(bucket + BUCKET / 2);
}

bool verified_has(struct verified *v, const struct verified_place *place)
{
	const struct entry *bucket = v->entries + place->bucket * BUCKET;
	bool found = false;

	pthread_mutex_lock(&v->lock);
	for (int i = 0; i < BUCKET && !found; i++)
		found = memcmp(&bucket[i], place->key, sizeof(place->key)) == 0;
	pthread_mutex_unlock(&v->lock);
	return found;
}

void verified_add(struct verified *v, const struct verified_place *place)
{
	static const struct entry none;
	struct entry *bucket = v->entries + place->bucket * BUCKET;
	int at = -1;

	pthread_mutex_lock(&v->lock);
	for (int i = 0; i < BUCKET; i++) {
		if (memcmp(&bucket[i], place->key, sizeof(place->key)) == 0) {
			pthread_mutex_unlock(&v->lock);
			return;
		}
		if (at < 0 && memcmp(&bucket[i], &none, sizeof(none)) == 0)
			at = i;
	}
	if (at < 0)
		at = (int)(v->victim++ % BUCKET);
	memcpy(&bucket[at], place->key, sizeof(place->key));
	pthread_mutex_unlock(&v->lock);
}
