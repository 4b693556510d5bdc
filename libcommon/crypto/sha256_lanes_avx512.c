/* 16 lanes of SHA-256 in AVX-512 registers. */
#include "crypto/sha256_lanes.h"

#if defined(__x86_64__)
#define LANES	 16
#define TARGET	 __attribute__((target("avx512f")))
#define FUNCTION rc_sha256_lanes_avx512
#include "crypto/sha256_lanes_template.h"
#endif
