/* Text that somebody pasted: an address that is accepted must be the one we would write. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "crypto/base58.h"
#include "crypto/bip32.h"
#include "crypto/bip39.h"
#include "crypto/schnorr.h"
#include "types/address.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	rc_schnorr_init();
	return 0;
}

static void check_bech32m(const uint8_t *data, size_t size)
{
	char hrp[RC_BECH32M_HRP_MAX + 1], again[RC_BECH32M_MAX + 1];
	uint8_t values[RC_BECH32M_VALUES_MAX];
	size_t n;

	if (rc_bech32m_decode((const char *)data, size, hrp, values, &n) != RC_BECH32M_OK)
		return;
	if (!rc_bech32m_encode(hrp, values, n, again) || strlen(again) != size ||
	    strncasecmp(again, (const char *)data, size) != 0)
		__builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = rc_alloc(size + 1), again[RC_BASE58_TEXT_MAX], sentence[RC_BIP39_SENTENCE_MAX];
	uint32_t path[RC_BIP32_PATH_MAX];
	uint8_t key[RC_BIP39_ENTROPY_MAX];
	struct rc_bip32 extended;
	size_t n;

	memcpy(text, data, size);
	check_bech32m(data, size);
	if (rc_address_decode(text, "rc", key, NULL) == 0) {
		rc_address_encode("rc", key, again);
		if (strcasecmp(again, text) != 0)
			__builtin_trap();
	}
	if (rc_bip32_decode(text, &extended)) {
		rc_bip32_encode(&extended, again);
		if (strcmp(again, text) != 0)
			__builtin_trap();
	}
	rc_bip32_path_parse(text, path, &n);
	if (rc_bip39_decode(text, key, &n, NULL) == RC_BIP39_OK)
		rc_bip39_encode(key, n, sentence);
	free(text);
	return 0;
}
