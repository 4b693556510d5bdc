/* Allocation that ends the process rather than return NULL. */
#include "base/mem.h"

#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

/* By default there are eight a core, and what one thread freed in one isn't another's to use. */
#define ARENAS 2
/*
 * The database's write buffers and read buffers of blocks come in pieces of 1 MiB and more: given
 * back when freed. What is made and freed again for each block of transactions (its bytes, its
 * delta, rows of its coins) is mostly smaller and stays: a page that is faulted in anew costs 1.6
 * us, and a block of 5,000 inputs has a thousand and more of them in all daemons. By default the
 * threshold follows the largest block that was freed, up to 32 MiB.
 */
#define APART_BYTES (1000 << 10)
#define TRIM_BYTES  (8 << 20)

void rc_mem_tune(void)
{
	mallopt(M_ARENA_MAX, ARENAS);
	mallopt(M_MMAP_THRESHOLD, APART_BYTES);
	mallopt(M_TRIM_THRESHOLD, TRIM_BYTES);
}

static void out_of_memory(size_t size)
{
	rc_log(RC_LOG_CRIT, "out of memory (%zu bytes asked): ending, to be restarted", size);
	abort();
}

void *rc_alloc(size_t size)
{
	void *p = calloc(1, size ? size : 1);

	if (!p)
		out_of_memory(size);
	return p;
}

void *rc_alloc_array(size_t count, size_t size)
{
	void *p = calloc(count ? count : 1, size ? size : 1);

	if (!p)
		out_of_memory(count * size);
	return p;
}

void *rc_realloc_array(void *old, size_t count, size_t size)
{
	void *p = reallocarray(old, count ? count : 1, size ? size : 1);

	if (!p)
		out_of_memory(count * size);
	return p;
}

char *rc_strdup(const char *text)
{
	return rc_memdup(text, strlen(text) + 1);
}

void *rc_memdup(const void *data, size_t len)
{
	void *p = rc_alloc(len);

	if (len)
		memcpy(p, data, len);
	return p;
}

char *rc_asprintf(const char *fmt, ...)
{
	va_list ap;
	char *text;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0)
		out_of_memory(0);
	return text;
}

void rc_wipe(void *data, size_t len)
{
	explicit_bzero(data, len);
}

void rc_freep(void *pointer_to_pointer)
{
	void **p = pointer_to_pointer;

	free(*p);
	*p = NULL;
}
