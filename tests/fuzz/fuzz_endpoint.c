/* Addresses that an operator types or a peer tells: what is read is written, and read the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "daemons/peerd/netaddr.h"

#define PORT 17440

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void told(const uint8_t *data, size_t size)
{
	struct net_addr addr, again;
	uint8_t ip[16];

	if (size < 2 ||
	    !net_addr_from_wire(data + 2, size - 2, (uint32_t)data[0] << 8 | data[1], &addr))
		return;
	if (!net_addr_from_wire(ip, net_addr_wire(&addr, ip), addr.port, &again) ||
	    !net_addr_eq(&addr, &again))
		abort();
}

static void typed(const char *text)
{
	char written[NET_ADDR_TEXT], mask[NET_SUBNET_TEXT];
	struct net_subnet subnet, same;
	struct net_endpoint endpoint;
	struct net_addr addr, again;

	if (net_addr_parse(text, PORT, &addr)) {
		net_addr_format(written, &addr);
		if (!net_addr_parse(written, 1, &again) || !net_addr_eq(&addr, &again))
			abort();
		net_addr_group(&addr);
		if (!net_endpoint_parse(text, PORT, &endpoint) || endpoint.has_key ||
		    !net_addr_eq(&addr, &endpoint.addr))
			abort();
	}
	if (net_endpoint_parse(text, PORT, &endpoint) && endpoint.has_key != !!strchr(text, '@'))
		abort();
	if (net_subnet_parse(text, &subnet)) {
		net_subnet_format(mask, &subnet);
		if (!net_subnet_parse(mask, &same) || !net_subnet_eq(&subnet, &same))
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	told(data, size);
	memcpy(text, data, size);
	text[size] = '\0';
	typed(text);
	free(text);
	return 0;
}
