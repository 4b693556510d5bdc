/* SHA-256 of many messages side by side, one in each lane of a vector register. For sha256.c. */
#ifndef RC_CRYPTO_SHA256_LANES_H
#define RC_CRYPTO_SHA256_LANES_H

#include <stddef.h>
#include <stdint.h>

/* What all messages have in common: the state they start from, after prefix bytes (a multiple of
 * 64), and their own length. */
struct rc_lanes_job {
	uint32_t start[8];
	uint64_t prefix;
	size_t len;
};

/* Hashes exactly as many messages as there are lanes: 8, 16. Call them only where the CPU has the
 * instructions. */
void rc_sha256_lanes_avx2(const struct rc_lanes_job *job, const uint8_t *const messages[8],
			  uint8_t *const ret_hashes[8]);
void rc_sha256_lanes_avx512(const struct rc_lanes_job *job, const uint8_t *const messages[16],
			    uint8_t *const ret_hashes[16]);

#endif
