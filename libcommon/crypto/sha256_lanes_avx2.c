/* 8 lanes of SHA-256 in AVX2 registers. */
#include "crypto/sha256_lanes.h"

#if defined(__x86_64__)
#define LANES	 8
#define TARGET	 __attribute__((target("avx2")))
#define FUNCTION rc_sha256_lanes_avx2
#include "crypto/sha256_lanes_template.h"
#endif
