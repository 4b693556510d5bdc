/* See handshake.h. The acts are rows of tokens, in Noise's own notation; one function writes an
 * act, one reads it, and both patterns and both roles go through them. */
#include "link/handshake.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "base/num.h"
#include "crypto/aead.h"
#include "crypto/ecdh.h"
#include "crypto/hkdf.h"
#include "crypto/sha256.h"

enum token {
	END,
	E,  /* the sender's ephemeral key */
	S,  /* the sender's static key, encrypted */
	EE, /* Diffie-Hellman of both ephemeral keys */
	ES, /* of the initiator's ephemeral and the responder's static key */
	SE, /* of the initiator's static and the responder's ephemeral key */
};

#define ACTS 3

struct pattern_row {
	const char *name;
	bool responder_known; /* its static key goes into the hash before the first act */
	enum token tokens[ACTS][5];
	uint8_t sizes[ACTS]; /* the pattern byte, 33 for E, 49 for S, 16 for the tag once keyed */
};

static const struct pattern_row patterns[] = {
	[RC_LINK_XK] = {"Noise_XK_secp256k1_ChaChaPoly_SHA256",
			true,
			{{E, ES, END}, {E, EE, END}, {S, SE, END}},
			{1 + 33 + 16, 1 + 33 + 16, 1 + 49 + 16}},
	[RC_LINK_XX] = {"Noise_XX_secp256k1_ChaChaPoly_SHA256",
			false,
			{{E, END}, {E, EE, S, ES, END}, {S, SE, END}},
			{1 + 33, 1 + 33 + 49 + 16, 1 + 49 + 16}},
};

void rc_link_prologue(const uint8_t network_id[32], uint8_t ret_prologue[RC_LINK_PROLOGUE_SIZE])
{
	memcpy(ret_prologue, "rustycoin", 9);
	memcpy(ret_prologue + 9, network_id, 32);
}

bool rc_link_key_from_secret(const uint8_t secret[32], uint8_t ret_key[RC_LINK_KEY_SIZE])
{
	return rc_point_from_secret(secret, ret_key);
}

bool rc_link_key_valid(const uint8_t key[RC_LINK_KEY_SIZE])
{
	return rc_point_valid(key);
}

void rc_link_secret_make(const struct rc_random *random, uint8_t ret_secret[32])
{
	do
		rc_random_fill(random, ret_secret, 32);
	while (!rc_secret_valid(ret_secret));
}

/* ---- Noise's symmetric state ---- */

static void mix_hash(struct rc_handshake *hs, const void *data, size_t len)
{
	struct rc_sha256 s;

	rc_sha256_init(&s);
	rc_sha256_update(&s, hs->h, sizeof(hs->h));
	rc_sha256_update(&s, data, len);
	rc_sha256_final(&s, hs->h);
}

static void mix_key(struct rc_handshake *hs, const uint8_t shared[32])
{
	rc_hkdf_noise(hs->ck, shared, 32, hs->ck, hs->k);
	hs->has_key = true;
	hs->counter = 0;
}

/* Encrypts len bytes and appends them with their tag; before there is a key, as they are. */
static void encrypt_and_hash(struct rc_handshake *hs, const uint8_t *plain, size_t len,
			     struct rc_buf *out)
{
	struct rc_bytes part = {plain, len};
	uint8_t nonce[RC_AEAD_NONCE_SIZE], *sealed;
	struct rc_aead *aead;

	if (!hs->has_key) {
		mix_hash(hs, plain, len);
		rc_buf_put(out, plain, len);
		return;
	}
	aead = rc_aead_new();
	rc_aead_set_key(aead, hs->k);
	rc_aead_noise_nonce(hs->counter++, nonce);
	sealed = rc_buf_add(out, len + RC_AEAD_TAG_SIZE);
	rc_aead_seal(aead, nonce, hs->h, sizeof(hs->h), &part, 1, sealed);
	mix_hash(hs, sealed, len + RC_AEAD_TAG_SIZE);
	rc_aead_free(aead);
}

/* The inverse, from *at on. */
static bool decrypt_and_hash(struct rc_handshake *hs, const uint8_t **at, uint8_t *ret_plain,
			     size_t len)
{
	uint8_t nonce[RC_AEAD_NONCE_SIZE];
	const uint8_t *sealed = *at;
	struct rc_aead *aead;
	bool ok;

	if (!hs->has_key) {
		mix_hash(hs, sealed, len);
		if (len)
			memcpy(ret_plain, sealed, len);
		*at += len;
		return true;
	}
	aead = rc_aead_new();
	rc_aead_set_key(aead, hs->k);
	rc_aead_noise_nonce(hs->counter++, nonce);
	ok = rc_aead_open(aead, nonce, hs->h, sizeof(hs->h), sealed, len + RC_AEAD_TAG_SIZE,
			  ret_plain);
	mix_hash(hs, sealed, len + RC_AEAD_TAG_SIZE);
	rc_aead_free(aead);
	*at += len + RC_AEAD_TAG_SIZE;
	return ok;
}

/* ---- acts ---- */

/* The keys of both sides were checked when they came, so this can't fail. */
static void diffie_hellman(struct rc_handshake *hs, enum token token)
{
	/* ES is our ephemeral with their static for the initiator, the reverse for the responder.
	 */
	bool own_static = token == (hs->initiator ? SE : ES);
	bool their_static = token == (hs->initiator ? ES : SE);
	uint8_t shared[32];
	bool ok = rc_ecdh(own_static ? hs->secret : hs->ephemeral,
			  their_static ? hs->remote : hs->remote_ephemeral, shared);

	assert(ok);
	(void)ok;
	mix_key(hs, shared);
	rc_wipe(shared, sizeof(shared));
}

static void write_ephemeral(struct rc_handshake *hs, struct rc_buf *out)
{
	uint8_t key[RC_LINK_KEY_SIZE];

	rc_link_secret_make(hs->random, hs->ephemeral);
	rc_point_from_secret(hs->ephemeral, key);
	mix_hash(hs, key, sizeof(key));
	rc_buf_put(out, key, sizeof(key));
}

static void write_act(struct rc_handshake *hs, struct rc_buf *out)
{
	const struct pattern_row *row = &patterns[hs->pattern];

	rc_buf_put_u8(out, (uint8_t)hs->pattern);
	for (const enum token *t = row->tokens[hs->step]; *t != END; t++) {
		if (*t == E)
			write_ephemeral(hs, out);
		else if (*t == S)
			encrypt_and_hash(hs, hs->own, sizeof(hs->own), out);
		else
			diffie_hellman(hs, *t);
	}
	encrypt_and_hash(hs, NULL, 0, out);
	hs->step++;
}

static enum rc_link_fault read_ephemeral(struct rc_handshake *hs, const uint8_t **at)
{
	memcpy(hs->remote_ephemeral, *at, RC_LINK_KEY_SIZE);
	*at += RC_LINK_KEY_SIZE;
	mix_hash(hs, hs->remote_ephemeral, RC_LINK_KEY_SIZE);
	return rc_point_valid(hs->remote_ephemeral) ? RC_LINK_FAULT_NONE : RC_LINK_FAULT_POINT;
}

static enum rc_link_fault read_static(struct rc_handshake *hs, const uint8_t **at)
{
	uint8_t key[RC_LINK_KEY_SIZE];

	if (!decrypt_and_hash(hs, at, key, sizeof(key)))
		return RC_LINK_FAULT_HANDSHAKE_MAC;
	if (!rc_point_valid(key))
		return RC_LINK_FAULT_POINT;
	if (hs->has_remote && memcmp(key, hs->remote, sizeof(key)) != 0)
		return RC_LINK_FAULT_PIN;
	if (memcmp(key, hs->own, sizeof(key)) == 0)
		return RC_LINK_FAULT_SELF;
	memcpy(hs->remote, key, sizeof(key));
	return RC_LINK_FAULT_NONE;
}

/* Reads the act in hs->in, whose size and pattern byte are right. */
static enum rc_link_fault read_act(struct rc_handshake *hs)
{
	const uint8_t *at = hs->in + 1;
	enum rc_link_fault fault = RC_LINK_FAULT_NONE;

	for (const enum token *t = patterns[hs->pattern].tokens[hs->step]; *t != END; t++) {
		if (*t == E)
			fault = read_ephemeral(hs, &at);
		else if (*t == S)
			fault = read_static(hs, &at);
		else
			diffie_hellman(hs, *t);
		if (fault != RC_LINK_FAULT_NONE)
			return fault;
	}
	if (!decrypt_and_hash(hs, &at, NULL, 0))
		return RC_LINK_FAULT_HANDSHAKE_MAC;
	assert(at == hs->in + hs->in_len);
	hs->step++;
	return RC_LINK_FAULT_NONE;
}

/* ---- life ---- */

static void start_hash(struct rc_handshake *hs)
{
	const struct pattern_row *row = &patterns[hs->pattern];

	rc_sha256(row->name, strlen(row->name), hs->h);
	memcpy(hs->ck, hs->h, sizeof(hs->ck));
	mix_hash(hs, hs->prologue, hs->prologue_len);
	if (row->responder_known)
		mix_hash(hs, hs->initiator ? hs->remote : hs->own, RC_LINK_KEY_SIZE);
}

static void fail(struct rc_handshake *hs, enum rc_link_fault fault)
{
	rc_handshake_done(hs);
	hs->state = RC_HANDSHAKE_FAILED;
	hs->fault = fault;
}

bool rc_handshake_init(struct rc_handshake *hs, const struct rc_handshake_params *params,
		       struct rc_buf *out)
{
	assert(params->prologue_len <= sizeof(hs->prologue));
	assert(params->initiator || !params->has_remote);
	assert(!params->initiator || params->has_remote || params->pattern != RC_LINK_XK);
	memset(hs, 0, sizeof(*hs));
	if (!rc_point_from_secret(params->secret, hs->own) ||
	    (params->has_remote && !rc_point_valid(params->remote)))
		return false;
	hs->initiator = params->initiator;
	hs->pattern = params->pattern;
	hs->xk_only = params->xk_only;
	hs->has_remote = params->has_remote;
	hs->random = params->random;
	memcpy(hs->secret, params->secret, sizeof(hs->secret));
	memcpy(hs->remote, params->remote, sizeof(hs->remote));
	memcpy(hs->prologue, params->prologue, params->prologue_len);
	hs->prologue_len = (uint8_t)params->prologue_len;
	if (!hs->initiator)
		return true;
	if (hs->has_remote && memcmp(hs->remote, hs->own, sizeof(hs->own)) == 0) {
		fail(hs, RC_LINK_FAULT_SELF);
		return true;
	}
	start_hash(hs);
	write_act(hs, out);
	return true;
}

/* The first byte of an act; the responder learns the pattern from the first act's. */
static bool take_pattern(struct rc_handshake *hs, uint8_t byte)
{
	if (hs->initiator || hs->step)
		return byte == hs->pattern;
	if (byte != RC_LINK_XK && (byte != RC_LINK_XX || hs->xk_only))
		return false;
	hs->pattern = byte;
	start_hash(hs);
	return true;
}

/* After a whole act came in: answers it, or ends. */
static void turn(struct rc_handshake *hs, struct rc_buf *out)
{
	enum rc_link_fault fault = read_act(hs);

	hs->in_len = 0;
	if (fault != RC_LINK_FAULT_NONE) {
		fail(hs, fault);
		return;
	}
	if (hs->step < ACTS)
		write_act(hs, out);
	if (hs->step == ACTS)
		hs->state = RC_HANDSHAKE_DONE;
}

enum rc_handshake_state rc_handshake_feed(struct rc_handshake *hs, const uint8_t *data, size_t len,
					  size_t *ret_used, struct rc_buf *out)
{
	size_t used = 0;

	while (used < len && hs->state == RC_HANDSHAKE_GOING) {
		size_t take;

		if (hs->in_len == 0 && !take_pattern(hs, data[used])) {
			fail(hs, RC_LINK_FAULT_PATTERN);
			break;
		}
		take = rc_min_u64(patterns[hs->pattern].sizes[hs->step] - hs->in_len, len - used);
		memcpy(hs->in + hs->in_len, data + used, take);
		hs->in_len = (uint8_t)(hs->in_len + take);
		used += take;
		if (hs->in_len == patterns[hs->pattern].sizes[hs->step])
			turn(hs, out);
	}
	*ret_used = used;
	return hs->state;
}

void rc_handshake_result(const struct rc_handshake *hs, struct rc_handshake_result *ret_result)
{
	uint8_t first[32], second[32];

	assert(hs->state == RC_HANDSHAKE_DONE);
	rc_hkdf_noise(hs->ck, NULL, 0, first, second);
	memcpy(ret_result->send_key, hs->initiator ? first : second, 32);
	memcpy(ret_result->recv_key, hs->initiator ? second : first, 32);
	memcpy(ret_result->chaining_key, hs->ck, 32);
	memcpy(ret_result->hash, hs->h, 32);
	memcpy(ret_result->remote, hs->remote, RC_LINK_KEY_SIZE);
	ret_result->pattern = hs->pattern;
	rc_wipe(first, sizeof(first));
	rc_wipe(second, sizeof(second));
}

void rc_handshake_done(struct rc_handshake *hs)
{
	rc_wipe(hs, sizeof(*hs));
}
