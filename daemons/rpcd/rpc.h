/*
 * JSON-RPC 2.0 without HTTP and without daemons: a body goes in, calls are checked against a table
 * and carried out by its handlers, an answer comes out, perhaps later. Tests and the fuzzer use it
 * with tables of their own.
 */
#ifndef RPCD_RPC_H
#define RPCD_RPC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/buf.h"
#include "base/mem.h"
#include "daemons/rpcd/json_out.h"

/* Requests in one batch: an answer stays within what a reader expects in one piece. */
#define RPC_BATCH_MAX 100
/* Reads of one batch that are under way together: enough to hide the bus's round trip. */
#define RPC_BATCH_PARALLEL 16
/* Of one batch: its answers together, for hundred blocks in hex would be 6 GB. Of those that run
 * side by side the one that would be too much is an error in its place, and no further call is
 * begun; an answer that stands alone may be larger. */
#define RPC_BATCH_BYTES (128u << 20)
/* Nesting of a body: a batch of calls with parameters that are lists of objects needs 5. */
#define RPC_DEPTH_MAX 32
/* Values of a body: hundred calls that name a thousand addresses each have 101,000. */
#define RPC_VALUES_MAX 110000
/* What Jansson takes for a value at most, as malloc counts it, beside its text: measured 250 where
 * objects stand in objects, 181 for {"a":{}} in a list, 106 for a text, 43 for a number. */
#define RPC_VALUE_BYTES 320
#define RPC_PARAMS_MAX	8

/* Who may call: each class includes those before it. */
enum rpc_class { RPC_READ, RPC_SUBMIT, RPC_ADMIN };
const char *rpc_class_name(enum rpc_class class);

/* Codes of error objects: JSON-RPC's, those of Bitcoin Core's family, ours (rustycoin-rpc(7)). */
enum rpc_code {
	RPC_PARSE_ERROR = -32700,
	RPC_INVALID_REQUEST = -32600,
	RPC_METHOD_NOT_FOUND = -32601,
	RPC_INVALID_PARAMS = -32602, /* wrong type, unknown, missing */
	RPC_INTERNAL_ERROR = -32603,
	RPC_MISC = -1,
	RPC_NOT_FOUND = -5,
	RPC_BAD_PARAMETER = -8, /* the right type, but not a value that can be */
	RPC_DESERIALIZATION = -22,
	RPC_VERIFY = -25,
	RPC_REJECTED = -26,
	RPC_ALREADY_KNOWN = -27,
	RPC_WARMING_UP = -28,
	RPC_DAEMON_AWAY = -32050,
	RPC_ANCHOR_GONE = -32051,
	RPC_OVERLOADED = -32052,
	RPC_NOT_PERMITTED = -32053,
};

enum rpc_type {
	RPC_TYPE_INT,	/* min … max */
	RPC_TYPE_LEVEL, /* an integer min … max; true is 1, false 0 */
	RPC_TYPE_BOOL,
	RPC_TYPE_TEXT,	 /* min … max bytes */
	RPC_TYPE_HEX,	 /* text of digits: min … max bytes */
	RPC_TYPE_ID,	 /* 64 digits, byte-reversed: block id, txid, wtxid */
	RPC_TYPE_HASH,	 /* 64 digits, as it is: lock hash */
	RPC_TYPE_AMOUNT, /* decimal text in RUST, or the integer 0 */
	RPC_TYPE_TEXTS,	 /* a list of min … max texts */
	RPC_TYPE_OBJECT, /* with fields */
};

struct rpc_param {
	const char *name;
	enum rpc_type type;
	bool optional;
	int64_t min, max;
	const char *def;		/* the default as text; NULL: absent */
	const char *text;		/* what it is */
	const struct rpc_param *fields; /* of an object; ends with a row without a name */
};

/* A checked parameter. given is false if it was left out and has no default. */
struct rpc_arg {
	bool given;
	bool b;
	int64_t i;		/* integer, level, amount */
	const char *text;	/* lives as long as the call */
	uint8_t id[32];		/* in the order of bytes in memory */
	uint8_t *data;		/* of hex */
	size_t len;		/* of data; of a list */
	json_t *json;		/* a list */
	struct rpc_arg *fields; /* of an object, by the index of its row; NULL: not given */
};

struct rpc_call;
typedef void (*rpc_handler_fn)(struct rpc_call *call);

struct rpc_method {
	const char *name;
	enum rpc_class class;
	const char *group;
	uint32_t timeout_ms; /* until the daemons behind must have answered */
	rpc_handler_fn handle;
	const char *summary;
	const char *result; /* what it answers, for help */
	const struct rpc_param *params;
	size_t n_params;
};

struct rpc_table {
	const struct rpc_method *methods; /* sorted by name (strcmp) */
	size_t n;
};
const struct rpc_method *rpc_method_find(const struct rpc_table *table, const char *name);

struct rpc_batch;

/* A call belongs to its handler until rpc_call_done or rpc_call_fail, exactly once, at any later
 * time. */
struct rpc_call {
	struct rpc_batch *batch;
	const struct rpc_method *method;
	void *ctx; /* what rpc_start was given */
	struct rpc_arg args[RPC_PARAMS_MAX];
	struct json_out out; /* where the result goes: one value */
	void *state;	     /* the handler's, freed by state_free (NULL: free) at the end */
	void (*state_free)(void *state);
	/* Set while the call waits for an event: fails it at once (rpc_hang_up). */
	void (*hang_up)(struct rpc_call *call);
	struct rpc_wait *wait;	     /* backends.c: what it waits for */
	int64_t held_us;	     /* backends.c: since when a daemon says "try again" */
	bool again;		     /* backends.c: asked more than once, so perhaps done before */
	bool changed;		     /* backends.c: something was asked for, and done */
	struct rpc_call *next_retry; /* backends.c */
	void (*at_end)(struct rpc_call *call); /* gives back what the call has; NULL: nothing */
	int heavy;			       /* heavy.c: of which kind */
	bool has_room;			       /* heavy.c */
	int64_t heavy_until_us;		       /* heavy.c: it waits for room no longer */
	struct rpc_call *heavy_prev, *heavy_next;

	/* rpc.c's own */
	struct rc_buf answer;
	json_t *request, *id;
	bool notification, legacy, finished;
	int error_code;
	uint32_t retry_ms;
};

/* Gives the room for a result back, emptied: for a handler that begins again. */
void rpc_call_restart(struct rpc_call *call);
void rpc_call_set_state(struct rpc_call *call, void *state, void (*state_free)(void *));
void rpc_call_done(struct rpc_call *call);
void rpc_call_fail(struct rpc_call *call, enum rpc_code code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* data (may be NULL) is taken over. */
void rpc_call_fail_data(struct rpc_call *call, enum rpc_code code, json_t *data, const char *fmt,
			...) __attribute__((format(printf, 4, 5)));
/* With the HTTP status 503 and a Retry-After, where it is the only call. */
void rpc_call_fail_retry(struct rpc_call *call, enum rpc_code code, uint32_t retry_ms, json_t *data,
			 const char *fmt, ...) __attribute__((format(printf, 5, 6)));

struct rpc_answer {
	int status;	    /* of HTTP: 200, 204 (nothing to say), 403, 503 */
	uint32_t retry_ms;  /* of 503 */
	unsigned failed;    /* calls that were answered by an error */
	struct rc_buf body; /* taken over by the receiver */
};
typedef void (*rpc_answer_fn)(void *arg, struct rpc_answer *answer);
/* Before a call is carried out: 0; or RPC_NOT_PERMITTED, this caller may not (an allow-list, a
 * class); or RPC_DAEMON_AWAY, nothing is begun any more; or RPC_OVERLOADED, not now. */
typedef int (*rpc_permit_fn)(void *arg, const struct rpc_method *method);
/* When a call's answer is made: it has so many bytes, all to the same body so far have sum. False:
 * it is too much, and gives way to an error RPC_OVERLOADED, of which this is told in its turn; what
 * is said of that has no effect. method may be NULL. */
typedef bool (*rpc_keep_fn)(void *arg, const struct rpc_method *method, size_t bytes, size_t sum);

/* Bytes that a body's calls take at most while they go on, beside the body, which needn't be kept
 * any more then, and their answers: the values; texts, of which one in hex is kept decoded; and
 * what the bus keeps of it, half of that again. 0: the body isn't within bounds. */
size_t rpc_weight(const char *body, size_t len);
/* The most of any body of so many bytes. */
size_t rpc_weight_max(size_t len);

/*
 * Takes a body; fn is called exactly once, perhaps before this returns: then NULL is returned.
 * permit and keep NULL: everything.
 */
struct rpc_batch *rpc_start(const struct rpc_table *table, void *ctx, rpc_permit_fn permit,
			    rpc_keep_fn keep, const char *body, size_t len, rpc_answer_fn fn,
			    void *arg);
/* Perhaps nobody is there any more to be answered: calls that wait for an event end, and then none
 * begins. A batch without such a call goes on, for who only has ended his sending (nc -N) still
 * reads. fn is called as ever, perhaps in here. */
void rpc_hang_up(struct rpc_batch *batch);

/* params.c: checks params (NULL, a list or an object) against the method's rows. 0, or a code and
 * its sentence. The args are freed by rpc_args_free, also after a failure. */
int rpc_params_check(const struct rpc_method *method, json_t *params, struct rpc_arg *args,
		     char *ret_text, size_t size);
void rpc_args_free(const struct rpc_param *params, size_t n, struct rpc_arg *args);

#endif
