/* See bip39.h. */
#include "crypto/bip39.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "crypto/hmac.h"
#include "crypto/sha256.h"

#define BITS_PER_WORD 11
#define WORDS_MAX     24
#define ITERATIONS    2048

/* Bits of entropy ‖ checksum; the checksum is the first len/4 bits of SHA256(entropy). */
static unsigned bit(const uint8_t *bytes, size_t i)
{
	return bytes[i / 8] >> (7 - i % 8) & 1;
}

const char *rc_bip39_result_text(enum rc_bip39_result result)
{
	switch (result) {
	case RC_BIP39_OK:
		return "right";
	case RC_BIP39_COUNT:
		return "there must be 12, 15, 18, 21 or 24 words";
	case RC_BIP39_WORD:
		return "a word is not in the list of 2,048 words";
	case RC_BIP39_CHECKSUM:
		return "the words don't belong together: one is wrong, or two are swapped";
	}
	return "?";
}

void rc_bip39_encode(const uint8_t *entropy, size_t len, char ret_sentence[RC_BIP39_SENTENCE_MAX])
{
	uint8_t bytes[RC_BIP39_ENTROPY_MAX + 32];
	size_t words = len * 8 * 33 / 32 / BITS_PER_WORD;
	char *p = ret_sentence;

	assert(len >= RC_BIP39_ENTROPY_MIN && len <= RC_BIP39_ENTROPY_MAX && len % 4 == 0);
	memcpy(bytes, entropy, len);
	rc_sha256(entropy, len, bytes + len);
	for (size_t w = 0; w < words; w++) {
		unsigned index = 0;

		for (size_t i = 0; i < BITS_PER_WORD; i++)
			index = index << 1 | bit(bytes, w * BITS_PER_WORD + i);
		p = stpcpy(p, rc_bip39_words[index]);
		*p++ = ' ';
	}
	p[-1] = '\0';
	rc_wipe(bytes, sizeof(bytes));
}

static int compare(const void *word, const void *entry)
{
	return strcmp(word, *(const char *const *)entry);
}

/* The next word of *text in lower case, *text moves behind it; false at the end. A word too long
 * to be one comes out cut, and so isn't found. */
static bool next_word(const char **text, char word[RC_BIP39_WORD_MAX + 2])
{
	size_t len = 0;

	while (isspace((unsigned char)**text))
		++*text;
	if (!**text)
		return false;
	for (; **text && !isspace((unsigned char)**text); ++*text)
		if (len < RC_BIP39_WORD_MAX + 1)
			word[len++] = (char)tolower((unsigned char)**text);
	word[len] = '\0';
	return true;
}

static enum rc_bip39_result decode(const char *sentence, uint8_t bytes[RC_BIP39_ENTROPY_MAX + 1],
				   size_t *ret_len, unsigned *ret_bad)
{
	char word[RC_BIP39_WORD_MAX + 2];
	unsigned words = 0, checksum_bits;
	uint8_t hash[32];

	for (; next_word(&sentence, word); words++) {
		const char *const *found = bsearch(word, rc_bip39_words, RC_BIP39_WORDS,
						   sizeof(rc_bip39_words[0]), compare);

		if (words == WORDS_MAX)
			return RC_BIP39_COUNT;
		if (!found) {
			*ret_bad = words + 1;
			return RC_BIP39_WORD;
		}
		for (size_t i = 0; i < BITS_PER_WORD; i++) {
			size_t at = words * BITS_PER_WORD + i;
			size_t value = (size_t)(found - rc_bip39_words);

			if (value >> (BITS_PER_WORD - 1 - i) & 1)
				bytes[at / 8] |= (uint8_t)(0x80 >> at % 8);
		}
	}
	rc_wipe(word, sizeof(word));
	if (words < 12 || words % 3)
		return RC_BIP39_COUNT;
	checksum_bits = words / 3;
	*ret_len = (words * BITS_PER_WORD - checksum_bits) / 8;
	rc_sha256(bytes, *ret_len, hash);
	return (bytes[*ret_len] ^ hash[0]) >> (8 - checksum_bits) ? RC_BIP39_CHECKSUM : RC_BIP39_OK;
}

enum rc_bip39_result rc_bip39_decode(const char *sentence,
				     uint8_t ret_entropy[RC_BIP39_ENTROPY_MAX], size_t *ret_len,
				     unsigned *ret_bad)
{
	uint8_t bytes[RC_BIP39_ENTROPY_MAX + 1] = {0};
	enum rc_bip39_result result;
	unsigned bad = 0;
	size_t len = 0;

	result = decode(sentence, bytes, &len, &bad);
	if (result == RC_BIP39_OK) {
		memcpy(ret_entropy, bytes, len);
		*ret_len = len;
	} else if (ret_bad) {
		*ret_bad = bad;
	}
	rc_wipe(bytes, sizeof(bytes));
	return result;
}

void rc_bip39_seed(const char *sentence, const char *passphrase,
		   uint8_t ret_seed[RC_BIP39_SEED_SIZE])
{
	size_t salt_len = 8 + strlen(passphrase);
	char *salt = rc_alloc(salt_len + 1);

	memcpy(salt, "mnemonic", 8);
	memcpy(salt + 8, passphrase, salt_len - 8);
	rc_pbkdf2_hmac_sha512(sentence, strlen(sentence), salt, salt_len, ITERATIONS, ret_seed,
			      RC_BIP39_SEED_SIZE);
	rc_wipe(salt, salt_len);
	free(salt);
}
