/* Sessions: a bounded queue a client, so that a slow one costs itself only. */
#include "bus/session.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

struct rc_outgoing {
	struct rc_frames frames;
	struct rc_outgoing *prev, *next;
};

struct rc_session *rc_session_new(struct rc_bytes key, const struct rc_edge *edge, uint64_t boot)
{
	struct rc_session *session = rc_alloc(sizeof(*session));

	assert(key.len <= sizeof(session->key));
	memcpy(session->key, key.data, key.len);
	session->key_len = key.len;
	session->edge = edge;
	session->boot = boot;
	session->tally = rc_tally_new();
	return session;
}

static void drop_first(struct rc_session *session)
{
	struct rc_outgoing *out = session->queue;

	DL_DELETE(session->queue, out);
	session->queued--;
	rc_frames_done(&out->frames);
	free(out);
}

void rc_session_free(struct rc_session *session)
{
	if (!session)
		return;
	while (session->queue)
		drop_first(session);
	rc_tally_unref(session->tally);
	free(session);
}

size_t rc_session_bytes(struct rc_session *session)
{
	return session->request_bytes + rc_tally_bytes(session->tally);
}

int rc_session_flush(struct rc_session *session, struct rc_zsock *zsock)
{
	while (session->queue) {
		int err = rc_zsock_send(zsock, &session->queue->frames);

		if (err < 0)
			return err;
		drop_first(session);
	}
	return RC_OK;
}

int rc_session_send(struct rc_session *session, struct rc_zsock *zsock, struct rc_frames *frames)
{
	struct rc_outgoing *out;
	int err = rc_session_flush(session, zsock);

	if (err == RC_OK)
		err = rc_zsock_send(zsock, frames);
	if (err == RC_EBUSY && session->queued < session->edge->messages) {
		out = rc_alloc(sizeof(*out));
		rc_frames_move(&out->frames, frames);
		DL_APPEND(session->queue, out);
		session->queued++;
		return RC_OK;
	}
	rc_frames_done(frames);
	return err;
}
