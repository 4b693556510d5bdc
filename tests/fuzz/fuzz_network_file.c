/* A parameter file, and an encoded table: what is accepted is written back as the same network. */
#include <stdint.h>
#include <string.h>

#include "service/network_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_table(const uint8_t *data, size_t size)
{
	struct rc_network_params params;
	struct rc_buf again = RC_BUF_INIT;

	if (rc_network_table_decode(data, size, &params)) {
		rc_network_table_encode(&params, &again);
		if (again.len != size || memcmp(again.data, data, size) != 0)
			__builtin_trap();
	}
	rc_buf_done(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rc_buf again = RC_BUF_INIT;
	struct rc_network network, back;
	struct rc_error error;

	check_table(data, size);
	if (rc_network_parse_ini((const char *)data, size, &network, &error) == 0) {
		rc_network_write_ini(&network, &again);
		if (rc_network_parse_ini((char *)again.data, again.len, &back, &error) ||
		    !rc_hash_eq(&back.id, &network.id) ||
		    memcmp(&back.ports, &network.ports, sizeof(back.ports)) != 0 ||
		    strcmp(back.bootstrap, network.bootstrap) != 0)
			__builtin_trap();
	}
	rc_buf_done(&again);
	return 0;
}
