/* See address.h. */
#include "types/address.h"

#include <assert.h>
#include <string.h>

#define VERSION 1
#define PROGRAM 32

void rc_address_encode(const char *hrp, const uint8_t output_key[32],
		       char ret_text[RC_ADDRESS_SIZE])
{
	uint8_t values[1 + (PROGRAM * 8 + 4) / 5] = {VERSION};
	size_t n = 1 + rc_bits_8_to_5(output_key, PROGRAM, values + 1);
	bool ok = rc_bech32m_encode(hrp, values, n, ret_text);

	assert(ok && "a network's prefix is short");
	(void)ok;
}

int rc_address_decode(const char *text, const char *hrp, uint8_t ret_output_key[32],
		      struct rc_error *error)
{
	char got_hrp[RC_BECH32M_HRP_MAX + 1];
	uint8_t values[RC_BECH32M_VALUES_MAX], program[RC_BECH32M_VALUES_MAX];
	size_t n, len;
	enum rc_bech32m_result result = rc_bech32m_decode(text, strlen(text), got_hrp, values, &n);

	if (result != RC_BECH32M_OK)
		return rc_error_set(error, RC_EINVAL, "not an address: %s",
				    rc_bech32m_result_text(result));
	if (strcmp(got_hrp, hrp) != 0)
		return rc_error_set(error, RC_ENETWORK,
				    "the address is for another network: it begins with %s1, ours "
				    "with %s1",
				    got_hrp, hrp);
	if (!n)
		return rc_error_set(error, RC_EINVAL, "not an address: no data");
	if (values[0] != VERSION)
		return rc_error_set(error, RC_EINVAL, "not an address: version %u, only 1 exists",
				    values[0]);
	if (!rc_bits_5_to_8(values + 1, n - 1, program, &len))
		return rc_error_set(error, RC_EINVAL, "not an address: wrong padding");
	if (len != PROGRAM)
		return rc_error_set(error, RC_EINVAL, "not an address: %zu bytes instead of 32",
				    len);
	memcpy(ret_output_key, program, PROGRAM);
	return RC_OK;
}
