/* See siphash.h. Written from the paper (Aumasson, Bernstein: SipHash, 2012): OpenSSL's EVP_MAC
 * costs ten times the hash of a 32-byte id. */
#include "crypto/siphash.h"

#include "base/num.h"

static inline uint64_t rotate(uint64_t v, int by)
{
	return v << by | v >> (64 - by);
}

static inline void rounds(uint64_t v[4], int n)
{
	while (n--) {
		v[0] += v[1];
		v[2] += v[3];
		v[1] = rotate(v[1], 13) ^ v[0];
		v[3] = rotate(v[3], 16) ^ v[2];
		v[0] = rotate(v[0], 32);
		v[2] += v[1];
		v[0] += v[3];
		v[1] = rotate(v[1], 17) ^ v[2];
		v[3] = rotate(v[3], 21) ^ v[0];
		v[2] = rotate(v[2], 32);
	}
}

uint64_t rc_siphash(uint64_t k0, uint64_t k1, const void *data, size_t len)
{
	uint64_t v[4] = {
		k0 ^ 0x736f6d6570736575u,
		k1 ^ 0x646f72616e646f6du,
		k0 ^ 0x6c7967656e657261u,
		k1 ^ 0x7465646279746573u,
	};
	const uint8_t *p = data;
	uint64_t last = (uint64_t)len << 56; /* only the length's low byte counts */

	for (size_t words = len / 8; words; words--, p += 8) {
		uint64_t m = rc_get_le64(p);

		v[3] ^= m;
		rounds(v, 2);
		v[0] ^= m;
	}
	for (size_t i = 0; i < len % 8; i++)
		last |= (uint64_t)p[i] << (8 * i);
	v[3] ^= last;
	rounds(v, 2);
	v[0] ^= last;
	v[2] ^= 0xff;
	rounds(v, 4);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}
