/* See record.h. */
#include "link/record.h"

#include <assert.h>
#include <string.h>

#include "crypto/hkdf.h"

void rc_record_init(struct rc_record_dir *dir, const uint8_t key[32],
		    const uint8_t chaining_key[32])
{
	dir->aead = rc_aead_new();
	rc_aead_set_key(dir->aead, key);
	memcpy(dir->key, key, 32);
	memcpy(dir->chaining_key, chaining_key, 32);
	dir->counter = 0;
}

void rc_record_done(struct rc_record_dir *dir)
{
	rc_aead_free(dir->aead);
	rc_wipe(dir, sizeof(*dir));
}

/* The nonce of the next use of the key. */
static void next_nonce(struct rc_record_dir *dir, uint8_t nonce[RC_AEAD_NONCE_SIZE])
{
	if (dir->counter == RC_RECORD_KEY_USES) {
		rc_hkdf_noise(dir->chaining_key, dir->key, 32, dir->chaining_key, dir->key);
		rc_aead_set_key(dir->aead, dir->key);
		dir->counter = 0;
	}
	rc_aead_noise_nonce(dir->counter++, nonce);
}

void rc_record_seal(struct rc_record_dir *dir, const struct rc_bytes *parts, size_t n_parts,
		    struct rc_buf *out)
{
	uint8_t nonce[RC_AEAD_NONCE_SIZE], head[2], *sealed;
	struct rc_bytes head_part = {head, sizeof(head)};
	size_t len = 0;

	for (size_t i = 0; i < n_parts; i++)
		len += parts[i].len;
	assert(len <= RC_RECORD_BODY_MAX);
	head[0] = (uint8_t)(len >> 8);
	head[1] = (uint8_t)len;
	sealed = rc_buf_add(out, RC_RECORD_HEAD_SIZE + len + RC_RECORD_TAG_SIZE);
	next_nonce(dir, nonce);
	rc_aead_seal(dir->aead, nonce, NULL, 0, &head_part, 1, sealed);
	next_nonce(dir, nonce);
	rc_aead_seal(dir->aead, nonce, NULL, 0, parts, n_parts, sealed + RC_RECORD_HEAD_SIZE);
}

bool rc_record_open_head(struct rc_record_dir *dir, const uint8_t head[RC_RECORD_HEAD_SIZE],
			 uint16_t *ret_len)
{
	uint8_t nonce[RC_AEAD_NONCE_SIZE], len[2];

	next_nonce(dir, nonce);
	if (!rc_aead_open(dir->aead, nonce, NULL, 0, head, RC_RECORD_HEAD_SIZE, len))
		return false;
	*ret_len = (uint16_t)(len[0] << 8 | len[1]);
	return true;
}

bool rc_record_open_body(struct rc_record_dir *dir, uint8_t *body_and_tag, size_t len)
{
	uint8_t nonce[RC_AEAD_NONCE_SIZE];

	next_nonce(dir, nonce);
	return rc_aead_open(dir->aead, nonce, NULL, 0, body_and_tag, len + RC_RECORD_TAG_SIZE,
			    body_and_tag);
}
