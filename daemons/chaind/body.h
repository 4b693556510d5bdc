/* A block's bytes and what was decoded of them, shared by whoever still needs it. */
#ifndef CHAIND_BODY_H
#define CHAIND_BODY_H

#include "consensus/body_check.h"
#include "consensus/connect.h"
#include "types/block.h"

struct body {
	unsigned refs; /* the loop's thread only */
	struct rc_buf raw;
	struct rc_arena arena;
	struct rc_block block;
	enum rc_verdict verdict;     /* of rc_block_check */
	struct rc_connect_plan plan; /* where the verdict is ok */
};

/* Takes the bytes over; body_check (any thread) fills the rest: all that needs no state, so that
 * nothing but the state is waited for when the block's turn comes. */
struct body *body_new(struct rc_buf *raw);
void body_check(struct body *body);
struct body *body_ref(struct body *body);
void body_unref(struct body *body); /* NULL is fine */

#endif
