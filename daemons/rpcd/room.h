/*
 * Buffers of large answers, used again: memory fresh from the kernel costs a page fault every 4
 * KiB, a third of the time of a block in JSON. Zero is an empty one.
 */
#ifndef RPCD_ROOM_H
#define RPCD_ROOM_H

#include "base/buf.h"

#define ROOM_BUFFERS 4
/* Smaller buffers are the allocator's, which keeps those itself. */
#define ROOM_LEAST ((size_t)128 << 10)
/* Larger ones, and what would be more in all, go back to the kernel. */
#define ROOM_BYTES_MAX ((size_t)16 << 20)

struct room {
	struct rc_buf kept[ROOM_BUFFERS]; /* no data: a free place */
	size_t bytes;
};

void room_done(struct room *room);
/* Makes room in the buffer for more bytes, its contents kept. */
void room_reserve(struct room *room, struct rc_buf *buf, size_t more);
/* Ends a buffer's use: it is kept, or freed. */
void room_give(struct room *room, struct rc_buf *buf);

#endif
