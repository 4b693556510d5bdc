/*
 * The Noise handshake of a link, XK or XX over secp256k1 (crypto.md, 6.2). A pure state machine:
 * bytes in, bytes out. No sockets, no clock; it takes no memory. peerd uses it through message.h.
 */
#ifndef RC_LINK_HANDSHAKE_H
#define RC_LINK_HANDSHAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/clock.h"
#include "link/fault.h"

#define RC_LINK_KEY_SIZE      33 /* compressed point */
#define RC_LINK_PROLOGUE_SIZE 41 /* "rustycoin" ‖ network id */
#define RC_HANDSHAKE_ACT_MAX  99 /* XX, act 2 */

/* The byte before each act. */
enum rc_link_pattern {
	RC_LINK_XK = 0, /* the initiator knows the responder's static key */
	RC_LINK_XX = 1, /* it doesn't: both are told */
};

enum rc_handshake_state {
	RC_HANDSHAKE_GOING,
	RC_HANDSHAKE_DONE,
	RC_HANDSHAKE_FAILED, /* close silently, send nothing */
};

struct rc_handshake_params {
	bool initiator;
	/* The initiator's choice; a responder takes the one it is offered, unless xk_only. */
	enum rc_link_pattern pattern;
	bool xk_only;
	uint8_t secret[32]; /* our static key */
	/* The key the peer must have. XK initiator: needed. XX initiator: a pinned key, if
	 * has_remote. Not for a responder. */
	bool has_remote;
	uint8_t remote[RC_LINK_KEY_SIZE];
	/* Copied; RC_LINK_PROLOGUE_SIZE bytes at most. */
	uint8_t prologue[RC_LINK_PROLOGUE_SIZE];
	size_t prologue_len;
	const struct rc_random *random;
};

/* What a finished handshake leaves. */
struct rc_handshake_result {
	uint8_t send_key[32];
	uint8_t recv_key[32];
	uint8_t chaining_key[32];
	uint8_t hash[32]; /* unique to this link: what channel binding signs */
	uint8_t remote[RC_LINK_KEY_SIZE];
	enum rc_link_pattern pattern;
};

/* Private to handshake.c; here so that it can be embedded. */
struct rc_handshake {
	enum rc_handshake_state state;
	enum rc_link_fault fault;
	bool initiator;
	enum rc_link_pattern pattern;
	bool xk_only, has_remote, has_key;
	uint8_t step; /* acts done, 0…3 */
	uint8_t in_len;
	uint8_t in[RC_HANDSHAKE_ACT_MAX];
	uint8_t secret[32], ephemeral[32];
	uint8_t own[RC_LINK_KEY_SIZE], remote[RC_LINK_KEY_SIZE], remote_ephemeral[RC_LINK_KEY_SIZE];
	uint8_t prologue[RC_LINK_PROLOGUE_SIZE];
	uint8_t prologue_len;
	uint8_t h[32], ck[32], k[32];
	uint64_t counter;
	const struct rc_random *random;
};

/* The prologue of a network's links. */
void rc_link_prologue(const uint8_t network_id[32], uint8_t ret_prologue[RC_LINK_PROLOGUE_SIZE]);

/* The public link key of a secret; false if that is no secret key. */
bool rc_link_key_from_secret(const uint8_t secret[32], uint8_t ret_key[RC_LINK_KEY_SIZE]);

/* A new static key. */
void rc_link_secret_make(const struct rc_random *random, uint8_t ret_secret[32]);

/* Whether these bytes are a link key: a compressed point on the curve. */
bool rc_link_key_valid(const uint8_t key[RC_LINK_KEY_SIZE]);

/* Starts; an initiator's first act is appended to *out. Needs rc_schnorr_init. False if a key of
 * params is no key. */
bool rc_handshake_init(struct rc_handshake *hs, const struct rc_handshake_params *params,
		       struct rc_buf *out);

/*
 * Takes received bytes, in any slicing; appends what to send to *out. *ret_used tells how many
 * bytes the handshake needed: those after them belong to the record layer. Returns the state.
 */
enum rc_handshake_state rc_handshake_feed(struct rc_handshake *hs, const uint8_t *data, size_t len,
					  size_t *ret_used, struct rc_buf *out);

/* After RC_HANDSHAKE_DONE. The caller wipes it. */
void rc_handshake_result(const struct rc_handshake *hs, struct rc_handshake_result *ret_result);

/* Wipes everything. */
void rc_handshake_done(struct rc_handshake *hs);

#endif
