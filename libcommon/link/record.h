/* One direction of an encrypted link: records, and the change of keys (crypto.md, 6.3; BOLT 8). */
#ifndef RC_LINK_RECORD_H
#define RC_LINK_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/mem.h"
#include "crypto/aead.h"

#define RC_RECORD_HEAD_SIZE 18	  /* 2 bytes of length, 16 of tag */
#define RC_RECORD_TAG_SIZE  16	  /* after the body */
#define RC_RECORD_BODY_MAX  65535 /* by the 2 bytes of length */
#define RC_RECORD_KEY_USES  1000  /* of a key; then it is changed: 500 records */

struct rc_record_dir {
	struct rc_aead *aead;
	uint8_t key[32], chaining_key[32];
	uint64_t counter;
};

void rc_record_init(struct rc_record_dir *dir, const uint8_t key[32],
		    const uint8_t chaining_key[32]);
void rc_record_done(struct rc_record_dir *dir);

/* Appends one record whose body is the parts one after another, RC_RECORD_BODY_MAX bytes at most.
 */
void rc_record_seal(struct rc_record_dir *dir, const struct rc_bytes *parts, size_t n_parts,
		    struct rc_buf *out);

/* The length of the body that follows a head; false if the head isn't authentic. */
bool rc_record_open_head(struct rc_record_dir *dir, const uint8_t head[RC_RECORD_HEAD_SIZE],
			 uint16_t *ret_len);

/* Decrypts a body of len bytes and its tag in place. */
bool rc_record_open_body(struct rc_record_dir *dir, uint8_t *body_and_tag, size_t len);

#endif
