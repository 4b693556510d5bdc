/* See sha256.h. OpenSSL's low-level calls, deprecated but more than twice as fast on messages of
 * our size as EVP: no context to fetch or free. */
#include "crypto/sha256.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include <openssl/sha.h>

#include "base/num.h"
#include "crypto/sha256_lanes.h"

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

/* ---- many messages ---- */

/*
 * The ways to hash many messages. A call of a vector way costs the same whether all lanes are in
 * use or not, so what is left over goes through one more such call only if it has at least `least`
 * messages: fewer are done sooner one by one. Measured on 64-byte messages: 0.41 µs each by
 * OpenSSL, 0.07 µs where the CPU has SHA instructions, 0.7 µs a call of either vector way.
 */
struct way {
	const char *name;
	void (*hash)(const struct rc_lanes_job *job, const uint8_t *const *messages,
		     uint8_t *const *ret_hashes);
	size_t lanes, least, least_sha;
	bool (*supported)(void);
};

#define LANES_MAX 16

static bool always(void)
{
	return true;
}

#if defined(__x86_64__)
static bool cpu_has_avx2(void)
{
	return __builtin_cpu_supports("avx2");
}

static bool cpu_has_avx512(void)
{
	return __builtin_cpu_supports("avx512f");
}

#endif

/* Asked once: under a hypervisor the instruction takes microseconds. */
static bool sha_instructions;
static pthread_once_t sha_instructions_once = PTHREAD_ONCE_INIT;

static void find_sha_instructions(void)
{
#if defined(__x86_64__)
	unsigned a, b, c, d;

	sha_instructions = __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b >> 29 & 1);
#endif
}

static bool cpu_has_sha(void)
{
	pthread_once(&sha_instructions_once, find_sha_instructions);
	return sha_instructions;
}

static const struct way ways[] = {
#if defined(__x86_64__)
	{"avx512", rc_sha256_lanes_avx512, 16, 2, 9, cpu_has_avx512},
	{"avx2", rc_sha256_lanes_avx2, 8, 2, 8, cpu_has_avx2},
#endif
	{"openssl", NULL, 1, 0, 0, always},
};

/* Chosen at first use, or by rc_sha256_force. */
static _Atomic(const struct way *) chosen;

static const struct way *way_chosen(void)
{
	const struct way *way = atomic_load_explicit(&chosen, memory_order_relaxed);

	if (way)
		return way;
	/* 8 lanes of AVX2 are slower than the SHA instructions, 16 of AVX-512 twice as fast. */
	for (way = ways; !way->supported() || (way->lanes == 8 && cpu_has_sha()); way++)
		;
	atomic_store_explicit(&chosen, way, memory_order_relaxed);
	return way;
}

bool rc_sha256_force(const char *name)
{
	for (size_t i = 0; i < RC_ARRAY_LEN(ways); i++) {
		if (strcmp(ways[i].name, name) == 0 && ways[i].supported()) {
			atomic_store_explicit(&chosen, &ways[i], memory_order_relaxed);
			return true;
		}
	}
	return false;
}

const char *rc_sha256_implementation(void)
{
	return way_chosen()->name;
}

static void hash_one_by_one(const struct rc_sha256 *start, const uint8_t *messages, size_t stride,
			    size_t len, size_t n, uint8_t *ret_hashes)
{
	for (size_t i = 0; i < n; i++) {
		struct rc_sha256 s = *start;

		rc_sha256_update(&s, messages + i * stride, len);
		rc_sha256_final(&s, ret_hashes + 32 * i);
	}
}

/* One call of a way for n messages, 1 … lanes; idle lanes repeat the first. */
static void hash_lanes(const struct way *way, const struct rc_lanes_job *job,
		       const uint8_t *messages, size_t stride, size_t n, uint8_t *ret_hashes)
{
	const uint8_t *in[LANES_MAX];
	uint8_t *out[LANES_MAX], idle[32];

	for (size_t i = 0; i < way->lanes; i++) {
		in[i] = messages + (i < n ? i : 0) * stride;
		out[i] = i < n ? ret_hashes + 32 * i : idle;
	}
	way->hash(job, in, out);
}

/* Hashes n messages that all begin from the state start, prefix bytes (0 or 64) on. */
static void hash_many(struct rc_sha256 *start, uint64_t prefix, const uint8_t *messages,
		      size_t stride, size_t len, size_t n, uint8_t *ret_hashes)
{
	const struct way *way = way_chosen();
	struct rc_lanes_job job = {.prefix = prefix, .len = len};
	size_t least = cpu_has_sha() ? way->least_sha : way->least;

	memcpy(job.start, ctx_of(start)->h, sizeof(job.start));
	while (way->hash && n >= least) {
		size_t now = n < way->lanes ? n : way->lanes;

		hash_lanes(way, &job, messages, stride, now, ret_hashes);
		messages += now * stride;
		ret_hashes += 32 * now;
		n -= now;
	}
	hash_one_by_one(start, messages, stride, len, n, ret_hashes);
}

void rc_tagged_hash_many(enum rc_tag tag, const uint8_t *messages, size_t stride, size_t len,
			 size_t n, uint8_t *ret_hashes)
{
	struct rc_sha256 s;

	rc_tagged_init(tag, &s);
	hash_many(&s, SHA256_CBLOCK, messages, stride, len, n, ret_hashes);
}

void rc_sha256_many(const uint8_t *messages, size_t stride, size_t len, size_t n,
		    uint8_t *ret_hashes)
{
	struct rc_sha256 s;

	rc_sha256_init(&s);
	hash_many(&s, 0, messages, stride, len, n, ret_hashes);
}
