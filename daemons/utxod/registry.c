/* A hash of entries, each a short list of values, newest first. */
#include "daemons/utxod/registry.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "base/mem.h"

#define NAME_MAX_LEN (1 + RC_STATE_KEY_MAX)

struct registry_value {
	struct registry_value *older;
	uint64_t born; /* the version that set it; 0: it was so before */
	bool there;
	size_t len;
	uint8_t data[];
};

struct registry_row {
	UT_hash_handle hh;
	struct registry_value *newest;
	uint8_t name[NAME_MAX_LEN]; /* namespace, key, zeros */
};

struct registry {
	pthread_mutex_t lock;
	struct registry_row *rows;
};

struct registry *registry_new(void)
{
	struct registry *registry = rc_alloc(sizeof(*registry));

	pthread_mutex_init(&registry->lock, NULL);
	return registry;
}

static void free_values(struct registry_value *v)
{
	while (v) {
		struct registry_value *older = v->older;

		free(v);
		v = older;
	}
}

static void remove_row(struct registry *registry, struct registry_row *row)
{
	HASH_DELETE(hh, registry->rows, row);
	free_values(row->newest);
	free(row);
}

void registry_free(struct registry *registry)
{
	struct registry_row *row, *tmp;

	if (!registry)
		return;
	HASH_ITER (hh, registry->rows, row, tmp) {
		remove_row(registry, row);
	}
	pthread_mutex_destroy(&registry->lock);
	free(registry);
}

static void name_of(unsigned ns, const uint8_t *key, uint8_t name[NAME_MAX_LEN])
{
	memset(name, 0, NAME_MAX_LEN);
	name[0] = (uint8_t)ns;
	memcpy(name + 1, key, rc_state_key_len(ns));
}

static struct registry_row *find(struct registry *registry, unsigned ns, const uint8_t *key)
{
	uint8_t name[NAME_MAX_LEN];
	struct registry_row *row;

	name_of(ns, key, name);
	HASH_FIND(hh, registry->rows, name, NAME_MAX_LEN, row);
	return row;
}

static void add_value(struct registry_row *row, uint64_t born, bool there, struct rc_bytes bytes)
{
	size_t len = there ? bytes.len : 0;
	struct registry_value *v = rc_alloc(sizeof(*v) + len);

	v->born = born;
	v->there = there;
	v->len = len;
	if (len)
		memcpy(v->data, bytes.data, len);
	v->older = row->newest;
	row->newest = v;
}

bool registry_get(struct registry *registry, uint64_t seq, unsigned ns, const uint8_t *key,
		  bool *ret_there, struct rc_buf *value)
{
	struct registry_value *v = NULL;
	struct registry_row *row;

	pthread_mutex_lock(&registry->lock);
	row = find(registry, ns, key);
	if (row)
		for (v = row->newest; v && v->born > seq;)
			v = v->older;
	if (v) {
		*ret_there = v->there;
		rc_buf_put(value, v->data, v->len);
	}
	pthread_mutex_unlock(&registry->lock);
	return v != NULL;
}

void registry_apply(struct registry *registry, uint64_t seq, const struct registry_change *change)
{
	pthread_mutex_lock(&registry->lock);
	for (size_t i = 0; i < change->n; i++) {
		const struct rc_delta_entry *e = &change->entry[i];
		struct registry_row *row = find(registry, e->ns, e->key);

		if (!row) {
			row = rc_alloc(sizeof(*row));
			name_of(e->ns, e->key, row->name);
			HASH_ADD(hh, registry->rows, name, NAME_MAX_LEN, row);
			if (change->undo)
				add_value(row, 0, e->has_after, e->after);
			else
				add_value(row, 0, e->has_before, e->before);
		}
		if (change->undo)
			add_value(row, seq, e->has_before, e->before);
		else
			add_value(row, seq, e->has_after, e->after);
	}
	pthread_mutex_unlock(&registry->lock);
}

void registry_drop(struct registry *registry, uint64_t seq, const struct registry_change *change)
{
	pthread_mutex_lock(&registry->lock);
	for (size_t i = 0; i < change->n; i++) {
		struct registry_row *row =
			find(registry, change->entry[i].ns, change->entry[i].key);
		struct registry_value *v = row ? row->newest : NULL;

		if (!v || v->born != seq)
			continue;
		row->newest = v->older;
		free(v);
		/* Only what the disk says is left. */
		if (!row->newest || (!row->newest->born && !row->newest->older))
			remove_row(registry, row);
	}
	pthread_mutex_unlock(&registry->lock);
}

void registry_retire(struct registry *registry, uint64_t seq, const struct registry_change *change)
{
	pthread_mutex_lock(&registry->lock);
	for (size_t i = 0; i < change->n; i++) {
		struct registry_row *row =
			find(registry, change->entry[i].ns, change->entry[i].key);
		struct registry_value *v = row ? row->newest : NULL;

		while (v && v->born > seq)
			v = v->older;
		if (!v || v->born != seq)
			continue;
		free_values(v->older);
		v->older = NULL;
		v->born = 0;
		if (v == row->newest)
			remove_row(registry, row);
	}
	pthread_mutex_unlock(&registry->lock);
}
