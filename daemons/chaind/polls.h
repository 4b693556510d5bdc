/* Requests that are kept until there is something to answer, or their wait is over. */
#ifndef CHAIND_POLLS_H
#define CHAIND_POLLS_H

#include <stdbool.h>

#include "bus/server.h"

struct poll;

struct poll_list {
	struct rc_loop *loop;
	struct poll *polls;
	struct rc_source *timer;
	/* Answers the request if it can, and must when it is the last try; true: it has. */
	bool (*attempt)(void *ctx, struct rc_request *request, bool last);
	void *ctx;
	unsigned n;
};

void poll_list_init(struct poll_list *list, struct rc_loop *loop,
		    bool (*attempt)(void *ctx, struct rc_request *request, bool last), void *ctx);
/* Fails all of them with RC_EUNAVAILABLE. */
void poll_list_done(struct poll_list *list);
/* Tries at once; else keeps it for wait_ms at most. */
void poll_keep(struct poll_list *list, struct rc_request *request, uint32_t wait_ms);
/* Something changed: tries all. */
void poll_wake(struct poll_list *list);

#endif
