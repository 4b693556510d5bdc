/* A bounded memory of ids. */
#include "daemons/peerd/seen.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "crypto/siphash.h"

#define SEEN_LEAST_CAP 64

void seen_init(struct seen *seen, uint64_t k0, uint64_t k1, size_t most)
{
	*seen = (struct seen){.k0 = k0, .k1 = k1, .most = most};
}

void seen_clear(struct seen *seen)
{
	free(seen->young.slots);
	free(seen->old.slots);
	memset(&seen->young, 0, sizeof(seen->young));
	memset(&seen->old, 0, sizeof(seen->old));
}

void seen_done(struct seen *seen)
{
	seen_clear(seen);
}

static uint64_t word_of(const struct seen *seen, const uint8_t id[32])
{
	uint64_t v = rc_siphash(seen->k0, seen->k1, id, 32);

	return v ? v : 1;
}

static bool half_has(const struct seen_half *half, uint64_t v)
{
	if (half->cap == 0)
		return false;
	for (size_t i = v & (half->cap - 1); half->slots[i]; i = (i + 1) & (half->cap - 1)) {
		if (half->slots[i] == v)
			return true;
	}
	return false;
}

static void half_put(struct seen_half *half, uint64_t v)
{
	size_t i = v & (half->cap - 1);

	while (half->slots[i])
		i = (i + 1) & (half->cap - 1);
	half->slots[i] = v;
	half->n++;
}

/* Kept at most half full. */
static void half_grow(struct seen_half *half)
{
	struct seen_half bigger = {.cap = half->cap ? 2 * half->cap : SEEN_LEAST_CAP};

	bigger.slots = rc_alloc_array(bigger.cap, sizeof(*bigger.slots));
	for (size_t i = 0; i < half->cap; i++) {
		if (half->slots[i])
			half_put(&bigger, half->slots[i]);
	}
	free(half->slots);
	*half = bigger;
}

bool seen_has(const struct seen *seen, const uint8_t id[32])
{
	uint64_t v = word_of(seen, id);

	return half_has(&seen->young, v) || half_has(&seen->old, v);
}

static void half_cut(struct seen_half *half, uint64_t v)
{
	size_t i = v & (half->cap - 1), next;

	if (!half_has(half, v))
		return;
	while (half->slots[i] != v)
		i = (i + 1) & (half->cap - 1);
	/* Those behind it in its run are put again, so that no search ends early. */
	half->slots[i] = 0;
	half->n--;
	for (next = (i + 1) & (half->cap - 1); half->slots[next];
	     next = (next + 1) & (half->cap - 1)) {
		uint64_t moved = half->slots[next];

		half->slots[next] = 0;
		half->n--;
		half_put(half, moved);
	}
}

void seen_forget(struct seen *seen, const uint8_t id[32])
{
	uint64_t v = word_of(seen, id);

	half_cut(&seen->young, v);
	half_cut(&seen->old, v);
}

bool seen_add(struct seen *seen, const uint8_t id[32])
{
	uint64_t v = word_of(seen, id);

	if (half_has(&seen->young, v))
		return false;
	if (seen->young.n >= seen->most) {
		free(seen->old.slots);
		seen->old = seen->young;
		memset(&seen->young, 0, sizeof(seen->young));
	}
	if (2 * (seen->young.n + 1) > seen->young.cap)
		half_grow(&seen->young);
	half_put(&seen->young, v);
	return !half_has(&seen->old, v);
}
