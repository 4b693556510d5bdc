/* 256-bit numbers as far as targets and work need them: little-endian limbs, exact. */
#include "consensus/pow.h"

#include <assert.h>

#include "base/num.h"

#define TARGET_BITS 256

/* Bits of the number: 0 for 0. */
static unsigned bit_length(const uint64_t *w, unsigned limbs)
{
	while (limbs > 0 && w[limbs - 1] == 0)
		limbs--;
	return limbs ? 64 * limbs - (unsigned)__builtin_clzll(w[limbs - 1]) : 0;
}

/* What passes the top is lost: callers look at bit_length first. */
static void shift_left(uint64_t *w, unsigned limbs, unsigned by)
{
	unsigned whole = by / 64, part = by % 64;

	for (unsigned i = limbs; i-- > 0;) {
		uint64_t high = i >= whole ? w[i - whole] : 0;
		uint64_t low = i > whole ? w[i - whole - 1] : 0;

		w[i] = part ? high << part | low >> (64 - part) : high;
	}
}

static void shift_right(uint64_t *w, unsigned limbs, unsigned by)
{
	unsigned whole = by / 64, part = by % 64;

	for (unsigned i = 0; i < limbs; i++) {
		uint64_t low = i + whole < limbs ? w[i + whole] : 0;
		uint64_t high = i + whole + 1 < limbs ? w[i + whole + 1] : 0;

		w[i] = part ? low >> part | high << (64 - part) : low;
	}
}

int rc_u256_cmp(const struct rc_u256 *a, const struct rc_u256 *b)
{
	for (int i = 3; i >= 0; i--)
		if (a->w[i] != b->w[i])
			return a->w[i] < b->w[i] ? -1 : 1;
	return 0;
}

static bool add(struct rc_u256 *a, const struct rc_u256 *b)
{
	unsigned __int128 carry = 0;

	for (int i = 0; i < 4; i++) {
		carry += (unsigned __int128)a->w[i] + b->w[i];
		a->w[i] = (uint64_t)carry;
		carry >>= 64;
	}
	return carry == 0;
}

static void subtract(struct rc_u256 *a, const struct rc_u256 *b)
{
	uint64_t borrow = 0;

	for (int i = 0; i < 4; i++) {
		unsigned __int128 take = (unsigned __int128)b->w[i] + borrow;

		borrow = a->w[i] < take;
		a->w[i] -= (uint64_t)take;
	}
}

/* ⌊a / b⌋, b > 0, bit by bit: as many steps as the quotient has bits. */
static struct rc_u256 divide(struct rc_u256 a, struct rc_u256 b)
{
	struct rc_u256 quotient = {{0}};
	unsigned bits_a = bit_length(a.w, 4), bits_b = bit_length(b.w, 4);

	if (bits_a < bits_b)
		return quotient;
	shift_left(b.w, 4, bits_a - bits_b);
	for (unsigned bit = bits_a - bits_b + 1; bit-- > 0;) {
		if (rc_u256_cmp(&a, &b) >= 0) {
			subtract(&a, &b);
			quotient.w[bit / 64] |= UINT64_C(1) << bit % 64;
		}
		shift_right(b.w, 4, 1);
	}
	return quotient;
}

uint32_t rc_target_bits(const struct rc_u256 *target)
{
	unsigned n = (bit_length(target->w, 4) + 7) / 8;
	struct rc_u256 t = *target;
	uint32_t c;

	if (n > 3) {
		shift_right(t.w, 4, 8 * (n - 3));
		c = (uint32_t)t.w[0];
	} else {
		c = (uint32_t)(t.w[0] << 8 * (3 - n));
	}
	if (c & 0x800000) {
		c >>= 8;
		n++;
	}
	return (uint32_t)n << 24 | c;
}

bool rc_bits_target(uint32_t bits, struct rc_u256 *ret_target)
{
	uint32_t e = bits >> 24, m = bits & 0x7fffff;
	struct rc_u256 t = {{m}};

	if (bits & 0x800000)
		return false;
	if (e < 3) {
		shift_right(t.w, 4, 8 * (3 - e));
	} else {
		if (bit_length(t.w, 4) + 8 * (e - 3) > TARGET_BITS)
			return false;
		shift_left(t.w, 4, 8 * (e - 3));
	}
	if (bit_length(t.w, 4) == 0 || rc_target_bits(&t) != bits)
		return false;
	*ret_target = t;
	return true;
}

bool rc_pow_holds(const struct rc_block_id *id, const struct rc_u256 *target)
{
	struct rc_u256 n;

	for (int i = 0; i < 4; i++)
		n.w[i] = rc_get_le64(id->b + 8 * i);
	return rc_u256_cmp(&n, target) <= 0;
}

/* 2^256 / (t + 1) = (2^256 − 1 − t) / (t + 1) + 1, which fits in 256 bits. */
struct rc_u256 rc_work_of_bits(uint32_t bits)
{
	static const struct rc_u256 one = {{1}};
	struct rc_u256 t = {{0}}, rest, work;
	bool canonical = rc_bits_target(bits, &t);

	assert(canonical);
	for (int i = 0; i < 4; i++)
		rest.w[i] = ~t.w[i];
	add(&t, &one);
	work = divide(rest, t);
	add(&work, &one);
	return work;
}

struct rc_u256 rc_work_add(struct rc_u256 a, struct rc_u256 b)
{
	static const struct rc_u256 most = {{UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX}};

	return add(&a, &b) ? a : most;
}

void rc_u256_encode_be(const struct rc_u256 *a, uint8_t ret_be[32])
{
	for (int i = 0; i < 4; i++)
		rc_put_be64(ret_be + 8 * i, a->w[3 - i]);
}

void rc_u256_decode_be(const uint8_t be[32], struct rc_u256 *ret)
{
	for (int i = 0; i < 4; i++)
		ret->w[3 - i] = rc_get_be64(be + 8 * i);
}

char *rc_u256_hex(char dst[65], const struct rc_u256 *a)
{
	uint8_t be[32];

	rc_u256_encode_be(a, be);
	return rc_hex_encode(dst, be, sizeof(be));
}

/* 2^(f / 65536) × 65536, 0 ≤ f < 65536: the cubic of aserti3-2d. The sum fits unsigned. */
static uint64_t power_of_two(uint64_t f)
{
	uint64_t sum =
		195766423245049 * f + 971821376 * f * f + 5127 * f * f * f + (UINT64_C(1) << 47);

	return 65536 + (sum >> 48);
}

/* The target of ASERT, steps 1 to 6 of 20-consensus, "Difficulty". */
static struct rc_u256 asert(const struct rc_network *network, uint32_t height, uint32_t time)
{
	static const struct rc_u256 least = {{1}};
	const struct rc_network_params *p = &network->params;
	int64_t d = (int64_t)time - p->genesis_time - (int64_t)p->spacing * height;
	int64_t e = d * 65536 / p->half_life; /* truncated toward zero */
	int64_t s = e >> 16;		      /* floored */
	uint64_t f = (uint64_t)(e - s * 65536);
	unsigned __int128 carry = 0;
	uint64_t t[5]; /* up to 273 bits */
	struct rc_u256 target;

	if (s > 256)
		return network->limit;
	if (s < -273)
		return least;
	for (int i = 0; i < 4; i++) {
		carry += (unsigned __int128)network->genesis_target.w[i] * power_of_two(f);
		t[i] = (uint64_t)carry;
		carry >>= 64;
	}
	t[4] = (uint64_t)carry;
	if (s >= 16) {
		if (bit_length(t, 5) + (unsigned)(s - 16) > TARGET_BITS)
			return network->limit;
		shift_left(t, 5, (unsigned)(s - 16));
	} else {
		shift_right(t, 5, (unsigned)(16 - s));
	}
	if (t[4])
		return network->limit;
	memcpy(target.w, t, sizeof(target.w));
	if (bit_length(t, 4) == 0)
		return least;
	return rc_u256_cmp(&target, &network->limit) > 0 ? network->limit : target;
}

uint32_t rc_required_bits(const struct rc_network *network, uint32_t parent_height,
			  uint32_t parent_time)
{
	struct rc_u256 target;

	if (network->params.retarget == RC_RETARGET_NONE)
		return network->params.limit_bits;
	target = asert(network, parent_height, parent_time);
	return rc_target_bits(&target);
}
