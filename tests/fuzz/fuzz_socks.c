/* What a SOCKS5 proxy answers. First byte: with a user or not, and in pieces of what size. It ends
 * within what the protocol allows, and asks for no byte more. */
#include <stdint.h>
#include <stdlib.h>

#include "daemons/peerd/socks.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct net_addr target;
	struct socks s;
	size_t at = 1, piece;

	if (size < 1 || !net_addr_parse(data[0] & 2 ? "[2a00::1]:7" : "1.2.3.4:7", 1, &target))
		return 0;
	piece = 1 + data[0] / 4;
	socks_begin(&s, &target, data[0] & 1 ? "user" : NULL, "password");
	while (at < size && s.step == SOCKS_GOING) {
		size_t n = size - at;

		n = n < piece ? n : piece;
		n = n < socks_wants(&s) ? n : socks_wants(&s);
		socks_sent(&s, s.out_len);
		socks_take(&s, data + at, n);
		at += n;
	}
	if (at > 1 + 2 + 2 + 5 + 257)
		abort();
	if ((s.step == SOCKS_GOING) != (socks_wants(&s) > 0))
		abort();
	if ((s.why != NULL) != (s.step == SOCKS_NO_PEER || s.step == SOCKS_NO_PROXY))
		abort();
	return 0;
}
