/* The first kept buffer that is large enough; sizes are powers of two, so few differ. */
#include "daemons/rpcd/room.h"

#include <string.h>

void room_done(struct room *room)
{
	for (size_t i = 0; i < ROOM_BUFFERS; i++)
		rc_buf_done(&room->kept[i]);
	room->bytes = 0;
}

void room_reserve(struct room *room, struct rc_buf *buf, size_t more)
{
	for (size_t i = 0; i < ROOM_BUFFERS && buf->cap - buf->len < more; i++) {
		struct rc_buf *kept = &room->kept[i];

		if (kept->cap < buf->len + more)
			continue;
		rc_buf_put(kept, buf->data, buf->len);
		rc_buf_done(buf);
		*buf = *kept;
		*kept = RC_BUF_INIT;
		room->bytes -= buf->cap;
	}
	rc_buf_reserve(buf, more);
}

void room_give(struct room *room, struct rc_buf *buf)
{
	for (size_t i = 0; i < ROOM_BUFFERS && buf->cap >= ROOM_LEAST; i++) {
		if (room->kept[i].data || room->bytes + buf->cap > ROOM_BYTES_MAX)
			continue;
		room->kept[i] = *buf;
		room->kept[i].len = 0;
		room->bytes += buf->cap;
		*buf = RC_BUF_INIT;
	}
	rc_buf_done(buf);
}
