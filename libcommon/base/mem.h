/* Memory: allocation that doesn't fail, cleanup by attribute, wiping. */
#ifndef RC_BASE_MEM_H
#define RC_BASE_MEM_H

#include <stddef.h>
#include <stdint.h>

/*
 * Allocate or end the process with a log line: every size is bounded by a named limit before it
 * comes here, so running out is the environment's failure, and a supervisor restarts us.
 * Zeroed memory; a size of 0 gives a valid pointer.
 */
void *rc_alloc(size_t size) __attribute__((malloc, returns_nonnull));
void *rc_alloc_array(size_t count, size_t size) __attribute__((malloc, returns_nonnull));
void *rc_realloc_array(void *old, size_t count, size_t size) __attribute__((returns_nonnull));
char *rc_strdup(const char *text) __attribute__((malloc, returns_nonnull));
void *rc_memdup(const void *data, size_t len) __attribute__((malloc, returns_nonnull));
char *rc_asprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2), returns_nonnull));

/*
 * Makes the allocator give back what is freed: few arenas, whatever the number of threads, and
 * large blocks apart from small ones, so that one that stays doesn't hold a hundred that went.
 * Once, before threads are made.
 */
void rc_mem_tune(void);

/* Gives pages of freed memory back to the system where they have become many: now and then, by
 * whoever has just freed much. */
void rc_mem_give_back(void);

/* Overwrites a secret in a way the compiler can't remove. */
void rc_wipe(void *data, size_t len);

void rc_freep(void *pointer_to_pointer);

#define RC_CLEANUP(fn) __attribute__((cleanup(fn)))
#define RC_AUTOFREE    RC_CLEANUP(rc_freep)

/* A view of bytes somebody else owns. */
struct rc_bytes {
	const uint8_t *data;
	size_t len;
};

#endif
