/*
 * The body of sha256_lanes_*.c, which define LANES, TARGET (the function attribute that allows the
 * instructions) and FUNCTION before they include this. Plain vector types of the compiler: the same
 * source makes 8 lanes of AVX2 and 16 of AVX-512. FIPS 180-4, 6.2.
 */
#include <string.h>

#include "base/num.h"
#include "crypto/sha256_lanes.h"

#define BLOCK 64

typedef uint32_t vec __attribute__((vector_size(4 * LANES)));

#define INLINE static inline __attribute__((always_inline)) TARGET

static const uint32_t round_constants[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4,
	0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe,
	0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f,
	0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
	0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc,
	0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
	0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116,
	0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
	0xc67178f2,
};

/* For vectors and for single numbers alike. */
#define ROTATE(x, n) ((x) >> (n) | (x) << (32 - (n)))
#define SCHEDULE0(x) (ROTATE(x, 7) ^ ROTATE(x, 18) ^ (x) >> 3)
#define SCHEDULE1(x) (ROTATE(x, 17) ^ ROTATE(x, 19) ^ (x) >> 10)
#define SUM0(x)	     (ROTATE(x, 2) ^ ROTATE(x, 13) ^ ROTATE(x, 22))
#define SUM1(x)	     (ROTATE(x, 6) ^ ROTATE(x, 11) ^ ROTATE(x, 25))

#define ROUND(a, b, c, d, e, f, g, h, kw)                          \
	do {                                                       \
		vec t1 = h + SUM1(e) + (g ^ (e & (f ^ g))) + (kw); \
		vec t2 = SUM0(a) + ((a & b) | (c & (a | b)));      \
		d += t1;                                           \
		h = t1 + t2;                                       \
	} while (0)

#define EIGHT_ROUNDS(KW, t)                               \
	do {                                              \
		ROUND(a, b, c, d, e, f, g, h, KW(t));     \
		ROUND(h, a, b, c, d, e, f, g, KW(t + 1)); \
		ROUND(g, h, a, b, c, d, e, f, KW(t + 2)); \
		ROUND(f, g, h, a, b, c, d, e, KW(t + 3)); \
		ROUND(e, f, g, h, a, b, c, d, KW(t + 4)); \
		ROUND(d, e, f, g, h, a, b, c, KW(t + 5)); \
		ROUND(c, d, e, f, g, h, a, b, KW(t + 6)); \
		ROUND(b, c, d, e, f, g, h, a, KW(t + 7)); \
	} while (0)

#define LOAD_STATE(s)                                                                           \
	vec a = (s)[0], b = (s)[1], c = (s)[2], d = (s)[3], e = (s)[4], f = (s)[5], g = (s)[6], \
	    h = (s)[7]
#define ADD_STATE(s)         \
	do {                 \
		(s)[0] += a; \
		(s)[1] += b; \
		(s)[2] += c; \
		(s)[3] += d; \
		(s)[4] += e; \
		(s)[5] += f; \
		(s)[6] += g; \
		(s)[7] += h; \
	} while (0)

/* One block of each lane's own. The words of the schedule replace those sixteen before them. */
INLINE void compress(vec state[8], const uint8_t *const blocks[LANES])
{
	uint32_t words[16][LANES] __attribute__((aligned(4 * LANES)));
	vec w[16];
	LOAD_STATE(state);

	for (int lane = 0; lane < LANES; lane++)
		for (int t = 0; t < 16; t++)
			words[t][lane] = rc_get_be32(blocks[lane] + 4 * t);
	memcpy(w, words, sizeof(w));
#define FIRST(t) (round_constants[t] + w[t])
	EIGHT_ROUNDS(FIRST, 0);
	EIGHT_ROUNDS(FIRST, 8);
#define LATER(t)                                                                                \
	(round_constants[t] + (w[(t)&15] += SCHEDULE1(w[((t) + 14) & 15]) + w[((t) + 9) & 15] + \
					    SCHEDULE0(w[((t) + 1) & 15])))
	for (int t = 16; t < 64; t += 16) {
		EIGHT_ROUNDS(LATER, t);
		EIGHT_ROUNDS(LATER, t + 8);
	}
	ADD_STATE(state);
}

/* One block that is the same in all lanes: kw has its schedule with the round constants added. */
INLINE void compress_same(vec state[8], const uint32_t kw[64])
{
	LOAD_STATE(state);

#define SAME(t) kw[t]
	for (int t = 0; t < 64; t += 8)
		EIGHT_ROUNDS(SAME, t);
	ADD_STATE(state);
}

static void expand_same(const uint8_t block[BLOCK], uint32_t kw[64])
{
	uint32_t w[64];

	for (int t = 0; t < 16; t++)
		w[t] = rc_get_be32(block + 4 * t);
	for (int t = 16; t < 64; t++)
		w[t] = w[t - 16] + SCHEDULE0(w[t - 15]) + w[t - 7] + SCHEDULE1(w[t - 2]);
	for (int t = 0; t < 64; t++)
		kw[t] = w[t] + round_constants[t];
}

/* The bytes after the last whole block, the one bit, zeros and the length: 64 or 128 bytes. */
static size_t make_tail(const struct rc_lanes_job *job, const uint8_t *message,
			uint8_t tail[2 * BLOCK])
{
	size_t rest = job->len % BLOCK, size = rest + 9 <= BLOCK ? BLOCK : 2 * BLOCK;

	memcpy(tail, message + job->len - rest, rest);
	memset(tail + rest, 0, size - rest);
	tail[rest] = 0x80;
	rc_put_be64(tail + size - 8, (job->prefix + job->len) * 8);
	return size;
}

INLINE void finish_different(vec state[8], const struct rc_lanes_job *job,
			     const uint8_t *const messages[LANES])
{
	uint8_t tails[LANES][2 * BLOCK];
	const uint8_t *blocks[LANES];
	size_t size = 0;

	for (int lane = 0; lane < LANES; lane++) {
		size = make_tail(job, messages[lane], tails[lane]);
		blocks[lane] = tails[lane];
	}
	compress(state, blocks);
	if (size == BLOCK)
		return;
	for (int lane = 0; lane < LANES; lane++)
		blocks[lane] = tails[lane] + BLOCK;
	compress(state, blocks);
}

TARGET void FUNCTION(const struct rc_lanes_job *job, const uint8_t *const messages[LANES],
		     uint8_t *const ret_hashes[LANES])
{
	const uint8_t *blocks[LANES];
	vec state[8];
	uint32_t words[8][LANES];

	for (int i = 0; i < 8; i++)
		state[i] = job->start[i] - (vec){0};
	for (size_t at = 0; at + BLOCK <= job->len; at += BLOCK) {
		for (int lane = 0; lane < LANES; lane++)
			blocks[lane] = messages[lane] + at;
		compress(state, blocks);
	}
	if (job->len % BLOCK == 0) {
		/* A Merkle node is 64 bytes: half of its work is a block of padding, the same for
		 * all, whose schedule needs no vectors. */
		uint8_t tail[2 * BLOCK];
		uint32_t kw[64];

		make_tail(job, messages[0], tail);
		expand_same(tail, kw);
		compress_same(state, kw);
	} else {
		finish_different(state, job, messages);
	}
	memcpy(words, state, sizeof(words));
	for (int lane = 0; lane < LANES; lane++)
		for (int i = 0; i < 8; i++)
			rc_put_be32(ret_hashes[lane] + 4 * i, words[i][lane]);
}
