/* Addresses of nodes. */
#include "daemons/peerd/netaddr.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/num.h"

static const uint8_t v4_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

/* Ranges that are not public, first match counts; IPv4 ones in their mapped form. */
static const struct range {
	const char *ip;
	uint8_t bits;
	enum net_class class;
} ranges[] = {
	{"::1", 128, NET_LOOPBACK},
	{"::ffff:127.0.0.0", 104, NET_LOOPBACK},
	{"::ffff:10.0.0.0", 104, NET_PRIVATE},
	{"::ffff:172.16.0.0", 108, NET_PRIVATE},
	{"::ffff:192.168.0.0", 112, NET_PRIVATE},
	{"::ffff:169.254.0.0", 112, NET_PRIVATE},
	{"::ffff:100.64.0.0", 106, NET_PRIVATE},
	{"fc00::", 7, NET_PRIVATE},
	{"fe80::", 10, NET_PRIVATE},
	{"::ffff:0.0.0.0", 104, NET_UNUSABLE},
	{"::ffff:192.0.2.0", 120, NET_UNUSABLE},
	{"::ffff:198.51.100.0", 120, NET_UNUSABLE},
	{"::ffff:203.0.113.0", 120, NET_UNUSABLE},
	{"::ffff:198.18.0.0", 111, NET_UNUSABLE},
	{"::ffff:224.0.0.0", 100, NET_UNUSABLE},
	{"::ffff:240.0.0.0", 100, NET_UNUSABLE},
	{"::ffff:0.0.0.0", 96, NET_PUBLIC},
	{"2001:db8::", 32, NET_UNUSABLE},
	{"2000::", 3, NET_PUBLIC},
};

static bool prefix_eq(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;

	if (memcmp(a, b, whole) != 0)
		return false;
	return rest == 0 || (a[whole] ^ b[whole]) >> (8 - rest) == 0;
}

bool net_addr_ip_eq(const struct net_addr *a, const struct net_addr *b)
{
	return memcmp(a->ip, b->ip, 16) == 0;
}

bool net_addr_eq(const struct net_addr *a, const struct net_addr *b)
{
	return net_addr_ip_eq(a, b) && a->port == b->port;
}

bool net_addr_is_v4(const struct net_addr *addr)
{
	return memcmp(addr->ip, v4_prefix, 12) == 0;
}

enum net_class net_addr_class(const struct net_addr *addr)
{
	/* Read at the first asking: it is asked for every address that is heard of. */
	static uint8_t ips[RC_ARRAY_LEN(ranges)][16];
	static bool read;

	for (size_t i = 0; !read && i < RC_ARRAY_LEN(ranges); i++)
		inet_pton(AF_INET6, ranges[i].ip, ips[i]);
	read = true;
	for (size_t i = 0; i < RC_ARRAY_LEN(ranges); i++)
		if (prefix_eq(addr->ip, ips[i], ranges[i].bits))
			return ranges[i].class;
	return NET_UNUSABLE;
}

const char *net_addr_network(const struct net_addr *addr)
{
	return net_addr_is_v4(addr) ? "ipv4" : "ipv6";
}

static bool parse_ip(const char *text, uint8_t ret_ip[16])
{
	uint8_t v4[4];

	if (inet_pton(AF_INET, text, v4) == 1) {
		memcpy(ret_ip, v4_prefix, 12);
		memcpy(ret_ip + 12, v4, 4);
		return true;
	}
	return inet_pton(AF_INET6, text, ret_ip) == 1;
}

static bool parse_port(const char *text, uint16_t *ret_port)
{
	unsigned long v = 0;

	if (*text == 0 || strlen(text) > 5)
		return false;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return false;
		v = v * 10 + (unsigned long)(*text - '0');
	}
	if (v == 0 || v > UINT16_MAX)
		return false;
	*ret_port = (uint16_t)v;
	return true;
}

bool net_addr_parse(const char *text, uint16_t default_port, struct net_addr *ret_addr)
{
	char ip[64];
	struct net_addr a = {.port = default_port};
	const char *start = text, *end, *port = NULL;

	if (*text == '[') {
		start = text + 1;
		end = strchr(start, ']');
		if (!end || (end[1] != 0 && end[1] != ':'))
			return false;
		port = end[1] ? end + 2 : NULL;
	} else {
		end = strchr(text, ':');
		/* More than one colon: an IPv6 address without a port. */
		if (!end || strchr(end + 1, ':'))
			end = text + strlen(text);
		else
			port = end + 1;
	}
	if ((size_t)(end - start) >= sizeof(ip))
		return false;
	memcpy(ip, start, (size_t)(end - start));
	ip[end - start] = 0;
	if (!parse_ip(ip, a.ip) || (port && !parse_port(port, &a.port)) || a.port == 0)
		return false;
	*ret_addr = a;
	return true;
}

char *net_addr_format_ip(char dst[NET_ADDR_TEXT], const struct net_addr *addr)
{
	if (net_addr_is_v4(addr))
		inet_ntop(AF_INET, addr->ip + 12, dst, NET_ADDR_TEXT);
	else
		inet_ntop(AF_INET6, addr->ip, dst, NET_ADDR_TEXT);
	return dst;
}

char *net_addr_format(char dst[NET_ADDR_TEXT], const struct net_addr *addr)
{
	char ip[NET_ADDR_TEXT];

	net_addr_format_ip(ip, addr);
	snprintf(dst, NET_ADDR_TEXT, net_addr_is_v4(addr) ? "%.46s:%u" : "[%.46s]:%u", ip,
		 addr->port);
	return dst;
}

bool net_addr_from_wire(const uint8_t *ip, size_t len, uint32_t port, struct net_addr *ret_addr)
{
	if ((len != 4 && len != 16) || port == 0 || port > UINT16_MAX)
		return false;
	memset(ret_addr, 0, sizeof(*ret_addr));
	if (len == 4)
		memcpy(ret_addr->ip, v4_prefix, 12);
	memcpy(ret_addr->ip + 16 - len, ip, len);
	ret_addr->port = (uint16_t)port;
	return true;
}

size_t net_addr_wire(const struct net_addr *addr, uint8_t ret_ip[16])
{
	size_t len = net_addr_is_v4(addr) ? 4 : 16;

	memcpy(ret_ip, addr->ip + 16 - len, len);
	return len;
}

struct net_group net_addr_group(const struct net_addr *addr)
{
	struct net_group g = {0};
	enum net_class class = net_addr_class(addr);
	bool v4 = net_addr_is_v4(addr);
	size_t bytes;

	/* The class stands first, so that groups of two classes never meet. */
	g.b[0] = (uint8_t) class;
	if (class == NET_LOOPBACK) {
		memcpy(g.b + 1, addr->ip, 16);
		g.b[17] = (uint8_t)(addr->port >> 8);
		g.b[18] = (uint8_t)addr->port;
		g.len = 19;
		return g;
	}
	if (class == NET_PRIVATE)
		bytes = v4 ? 12 + 3 : 8;
	else
		bytes = v4 ? 12 + 2 : 4;
	memcpy(g.b + 1, addr->ip, bytes);
	g.len = (uint8_t)(1 + bytes);
	return g;
}

bool net_group_eq(const struct net_group *a, const struct net_group *b)
{
	return a->len == b->len && memcmp(a->b, b->b, a->len) == 0;
}

bool net_endpoint_parse(const char *text, uint16_t default_port, struct net_endpoint *ret)
{
	struct net_endpoint e = {0};
	const char *at = strchr(text, '@');

	if (at) {
		char hex[2 * RC_LINK_KEY_SIZE + 1];

		if ((size_t)(at - text) != 2 * RC_LINK_KEY_SIZE)
			return false;
		memcpy(hex, text, sizeof(hex) - 1);
		hex[sizeof(hex) - 1] = 0;
		if (!rc_hex_decode(hex, e.key, sizeof(e.key)) || !rc_link_key_valid(e.key))
			return false;
		e.has_key = true;
		text = at + 1;
	}
	if (!net_addr_parse(text, default_port, &e.addr))
		return false;
	*ret = e;
	return true;
}

bool net_subnet_parse(const char *text, struct net_subnet *ret_subnet)
{
	char ip[64];
	struct net_subnet s;
	const char *slash = strchr(text, '/');
	size_t len = slash ? (size_t)(slash - text) : strlen(text);
	unsigned long bits;
	bool v4;

	if (len >= sizeof(ip))
		return false;
	memcpy(ip, text, len);
	ip[len] = 0;
	if (!parse_ip(ip, s.ip))
		return false;
	v4 = memcmp(s.ip, v4_prefix, 12) == 0;
	bits = 128;
	if (slash) {
		char *end;

		if (slash[1] < '0' || slash[1] > '9')
			return false;
		bits = strtoul(slash + 1, &end, 10);
		if (*end != 0 || bits > (v4 ? 32u : 128u))
			return false;
		bits += v4 ? 96 : 0;
	}
	s.bits = (uint8_t)bits;
	/* One writing for one subnet: what is beyond the mask is zero. */
	for (unsigned i = s.bits; i < 128; i++)
		s.ip[i / 8] &= (uint8_t) ~(0x80 >> i % 8);
	*ret_subnet = s;
	return true;
}

char *net_subnet_format(char dst[NET_SUBNET_TEXT], const struct net_subnet *subnet)
{
	struct net_addr a = {0};
	char ip[NET_ADDR_TEXT];
	bool v4;

	memcpy(a.ip, subnet->ip, 16);
	v4 = net_addr_is_v4(&a) && subnet->bits >= 96;
	snprintf(dst, NET_SUBNET_TEXT, "%.46s/%u", net_addr_format_ip(ip, &a),
		 v4 ? subnet->bits - 96u : subnet->bits);
	return dst;
}

bool net_subnet_has(const struct net_subnet *subnet, const struct net_addr *addr)
{
	return prefix_eq(subnet->ip, addr->ip, subnet->bits);
}

bool net_subnet_eq(const struct net_subnet *a, const struct net_subnet *b)
{
	return a->bits == b->bits && memcmp(a->ip, b->ip, 16) == 0;
}
