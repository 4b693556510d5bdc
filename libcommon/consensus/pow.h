/* Targets, work and required difficulty, in exact 256-bit integers (20-consensus, "Difficulty"). */
#ifndef RC_CONSENSUS_POW_H
#define RC_CONSENSUS_POW_H

#include "consensus/network.h"
#include "types/header.h"

/* ⌊target(bits)⌋; whether bits are canonical. *ret_target is set only if they are. */
bool rc_bits_target(uint32_t bits, struct rc_u256 *ret_target);
/* compact(target). */
uint32_t rc_target_bits(const struct rc_u256 *target);

/* The id's 32 bytes as a little-endian number ≤ target. */
bool rc_pow_holds(const struct rc_block_id *id, const struct rc_u256 *target);

/* ⌊2^256 / (target + 1)⌋ of canonical bits; target ≥ 1, so it fits. */
struct rc_u256 rc_work_of_bits(uint32_t bits);

/* Sum of work; 2^256 − 1 where it would pass that (no chain can). */
struct rc_u256 rc_work_add(struct rc_u256 a, struct rc_u256 b);
int rc_u256_cmp(const struct rc_u256 *a, const struct rc_u256 *b);

/* 32 bytes, most significant first, and back; 64 digits of the same. */
void rc_u256_encode_be(const struct rc_u256 *a, uint8_t ret_be[32]);
void rc_u256_decode_be(const uint8_t be[32], struct rc_u256 *ret);
char *rc_u256_hex(char dst[65], const struct rc_u256 *a);

/* Bits required of a block whose parent has this height and time (ASERT, or the limit's). */
uint32_t rc_required_bits(const struct rc_network *network, uint32_t parent_height,
			  uint32_t parent_time);

#endif
