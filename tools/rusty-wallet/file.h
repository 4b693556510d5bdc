/*
 * The wallet's file: one exact encoding, sealed by a passphrase.
 *
 *	magic 8 "RCWALLET" | version u16 = 1 | network id 32
 *	log2 of scrypt's N u8 | r u32 | p u32 | salt 32
 *	nonce 12 | length of what follows u32 | ChaCha20-Poly1305 ciphertext and tag
 *
 * All that stands before the ciphertext is its associated data, so no byte of the file can be
 * changed. The plaintext:
 *
 *	length of entropy u8 (16, 20, 24, 28, 32) | entropy | account u32
 *	next receiving index u32 | next change index u32
 */
#ifndef WALLET_FILE_H
#define WALLET_FILE_H

#include <stdint.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "crypto/bip39.h"
#include "crypto/scrypt.h"

#define WALLET_VERSION	1
#define WALLET_FILE_MAX 4096 /* far more than any has; the reader's bound */
/* 128 MiB and a third of a second of an ordinary core. */
#define WALLET_LOG_N 17
/* A file may ask for four times that, no more: it comes from outside. */
#define WALLET_SCRYPT_MEMORY (UINT64_C(512) << 20)

/* In secret memory. */
struct wallet_data {
	uint8_t entropy[RC_BIP39_ENTROPY_MAX];
	uint8_t entropy_len;
	uint32_t account;
	uint32_t next[2]; /* by chain: receiving, change */
};

/* The clear part. */
struct wallet_head {
	uint8_t network_id[32];
	uint8_t log_n;
	uint32_t r, p;
	uint8_t salt[32];
};

/* What seals a file: kept while the wallet is open, so that saving doesn't ask again. In secret
 * memory. */
struct wallet_seal {
	struct wallet_head head;
	uint8_t key[32];
};

/* A new salt, the key from a passphrase. log_n: WALLET_LOG_N; tests take less. */
int wallet_seal_make(const uint8_t network_id[32], uint8_t log_n, const char *passphrase,
		     const struct rc_random *random, struct wallet_seal *ret_seal,
		     struct rc_error *error);

/* Appends the whole file, under a new nonce. */
void wallet_file_encode(const struct wallet_data *data, const struct wallet_seal *seal,
			const struct rc_random *random, struct rc_buf *out);

/* The clear part of a file of the right form; RC_EFORMAT, RC_EVERSION. */
int wallet_file_head(const uint8_t *file, size_t len, struct wallet_head *ret_head,
		     struct rc_error *error);

/* RC_EDENIED for a wrong passphrase or a damaged file (the two can't be told apart). */
int wallet_file_open(const uint8_t *file, size_t len, const char *passphrase,
		     struct wallet_data *ret_data, struct wallet_seal *ret_seal,
		     struct rc_error *error);

/* The same with the key at hand, for tests and the fuzzer. */
int wallet_file_unseal(const uint8_t *file, size_t len, const struct wallet_seal *seal,
		       struct wallet_data *ret_data, struct rc_error *error);

#endif
