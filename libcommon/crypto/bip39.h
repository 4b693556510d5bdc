/* A seed as words a person can write down (BIP39, English list). */
#ifndef RC_CRYPTO_BIP39_H
#define RC_CRYPTO_BIP39_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RC_BIP39_WORDS	      2048
#define RC_BIP39_ENTROPY_MIN  16 /* bytes: 12 words */
#define RC_BIP39_ENTROPY_MAX  32 /* 24 words */
#define RC_BIP39_SEED_SIZE    64
#define RC_BIP39_WORD_MAX     8		     /* letters of the longest word */
#define RC_BIP39_SENTENCE_MAX (24 * (8 + 1)) /* spaces and terminator included */

extern const char *const rc_bip39_words[RC_BIP39_WORDS]; /* sorted */

enum rc_bip39_result {
	RC_BIP39_OK,
	RC_BIP39_COUNT,	   /* not 12, 15, 18, 21 or 24 words */
	RC_BIP39_WORD,	   /* a word that isn't in the list */
	RC_BIP39_CHECKSUM, /* one of the words is wrong, or two are swapped */
};

/* What to tell the person who typed the words. */
const char *rc_bip39_result_text(enum rc_bip39_result result);

/* Entropy of 16, 20, 24, 28 or 32 bytes as words with one space between. */
void rc_bip39_encode(const uint8_t *entropy, size_t len, char ret_sentence[RC_BIP39_SENTENCE_MAX]);

/*
 * Words in lower or upper case, white space around and between, as typed. *ret_bad (may be NULL) is
 * the number of the word not in the list, from 1.
 */
enum rc_bip39_result rc_bip39_decode(const char *sentence,
				     uint8_t ret_entropy[RC_BIP39_ENTROPY_MAX], size_t *ret_len,
				     unsigned *ret_bad);

/* The seed for rc_bip32_from_seed. sentence as rc_bip39_encode writes it; passphrase is used byte
 * for byte: BIP39's NFKD is the caller's, and changes nothing in ASCII. */
void rc_bip39_seed(const char *sentence, const char *passphrase,
		   uint8_t ret_seed[RC_BIP39_SEED_SIZE]);

#endif
