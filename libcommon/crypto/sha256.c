/* See sha256.h. OpenSSL's low-level calls, deprecated but more than twice as fast on messages of
 * our size as EVP: no context to fetch or free. */
#include "crypto/sha256.h"

#include <pthread.h>
#include <string.h>

#include <openssl/sha.h>

_Static_assert(sizeof(struct rc_sha256) == sizeof(SHA256_CTX), "struct rc_sha256 is SHA256_CTX");
_Static_assert(_Alignof(struct rc_sha256) >= _Alignof(SHA256_CTX), "also in its alignment");

static SHA256_CTX *ctx_of(struct rc_sha256 *s)
{
	return (SHA256_CTX *)s->opaque;
}

void rc_sha256_init(struct rc_sha256 *s)
{
	SHA256_Init(ctx_of(s));
}

void rc_sha256_update(struct rc_sha256 *s, const void *data, size_t len)
{
	if (len)
		SHA256_Update(ctx_of(s), data, len);
}

void rc_sha256_final(struct rc_sha256 *s, uint8_t ret_hash[32])
{
	SHA256_Final(ret_hash, ctx_of(s));
}

void rc_sha256(const void *data, size_t len, uint8_t ret_hash[32])
{
	struct rc_sha256 s;

	rc_sha256_init(&s);
	rc_sha256_update(&s, data, len);
	rc_sha256_final(&s, ret_hash);
}

void rc_sha256d(const void *data, size_t len, uint8_t ret_hash[32])
{
	uint8_t once[32];

	rc_sha256(data, len, once);
	rc_sha256(once, sizeof(once), ret_hash);
}

static const char *const tag_texts[RC_TAG_COUNT] = {
#define X(name, text) [name] = text,
	RC_TAG_TABLE(X)
#undef X
};

/* Constants that cost a hash to make: filled once, only read afterwards. */
static struct rc_sha256 midstates[RC_TAG_COUNT];
static pthread_once_t midstates_once = PTHREAD_ONCE_INIT;

static void make_midstates(void)
{
	for (int tag = 0; tag < RC_TAG_COUNT; tag++) {
		uint8_t hash[32];

		rc_sha256(tag_texts[tag], strlen(tag_texts[tag]), hash);
		rc_sha256_init(&midstates[tag]);
		rc_sha256_update(&midstates[tag], hash, sizeof(hash));
		rc_sha256_update(&midstates[tag], hash, sizeof(hash));
	}
}

const char *rc_tag_text(enum rc_tag tag)
{
	return tag_texts[tag];
}

void rc_tagged_init(enum rc_tag tag, struct rc_sha256 *s)
{
	pthread_once(&midstates_once, make_midstates);
	*s = midstates[tag];
}

void rc_tagged_hash(enum rc_tag tag, const void *data, size_t len, uint8_t ret_hash[32])
{
	struct rc_sha256 s;

	rc_tagged_init(tag, &s);
	rc_sha256_update(&s, data, len);
	rc_sha256_final(&s, ret_hash);
}

void rc_tagged_hash_parts(enum rc_tag tag, const struct rc_bytes *parts, size_t n_parts,
			  uint8_t ret_hash[32])
{
	struct rc_sha256 s;

	rc_tagged_init(tag, &s);
	for (size_t i = 0; i < n_parts; i++)
		rc_sha256_update(&s, parts[i].data, parts[i].len);
	rc_sha256_final(&s, ret_hash);
}

/* Hashes n messages that all begin from the state start. */
static void hash_many(const struct rc_sha256 *start, const uint8_t *messages, size_t stride,
		      size_t len, size_t n, uint8_t *ret_hashes)
{
	for (size_t i = 0; i < n; i++) {
		struct rc_sha256 s = *start;

		rc_sha256_update(&s, messages + i * stride, len);
		rc_sha256_final(&s, ret_hashes + 32 * i);
	}
}

void rc_tagged_hash_many(enum rc_tag tag, const uint8_t *messages, size_t stride, size_t len,
			 size_t n, uint8_t *ret_hashes)
{
	struct rc_sha256 s;

	rc_tagged_init(tag, &s);
	hash_many(&s, messages, stride, len, n, ret_hashes);
}

void rc_sha256_many(const uint8_t *messages, size_t stride, size_t len, size_t n,
		    uint8_t *ret_hashes)
{
	struct rc_sha256 s;

	rc_sha256_init(&s);
	hash_many(&s, messages, stride, len, n, ret_hashes);
}

bool rc_sha256_force(const char *name)
{
	return strcmp(name, "openssl") == 0;
}

const char *rc_sha256_implementation(void)
{
	return "openssl";
}
