/* A decoded block with shared owners. See body.h. */
#include "daemons/chaind/body.h"

#include <stdlib.h>

#include "base/mem.h"

struct body *body_new(struct rc_buf *raw)
{
	struct body *body = rc_alloc(sizeof(*body));

	body->refs = 1;
	body->raw = *raw;
	*raw = RC_BUF_INIT;
	return body;
}

void body_check(struct body *body)
{
	body->verdict = rc_block_check(body->raw.data, body->raw.len, &body->arena, &body->block);
	if (body->verdict == RC_VERDICT_OK)
		rc_connect_collect(&body->block, &body->arena, &body->plan);
}

struct body *body_ref(struct body *body)
{
	body->refs++;
	return body;
}

void body_unref(struct body *body)
{
	if (!body || --body->refs > 0)
		return;
	rc_buf_done(&body->raw);
	rc_arena_done(&body->arena);
	free(body);
}
