/* Addresses of nodes: text, classes, and the groups that one party is likely to own whole. */
#ifndef PEERD_NETADDR_H
#define PEERD_NETADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "link/handshake.h"

/* IPv4 is kept as ::ffff:a.b.c.d. Plain data without padding at its end: compared by memcmp. */
struct net_addr {
	uint8_t ip[16];
	uint16_t port;
};

/* "[" 45 "]:65535" and the terminator. */
#define NET_ADDR_TEXT 56

enum net_class {
	NET_UNUSABLE, /* unspecified, multicast, documentation: never dialled, never kept */
	NET_LOOPBACK,
	NET_PRIVATE, /* RFC 1918, RFC 6598, link-local, fc00::/7 */
	NET_PUBLIC,
};

bool net_addr_eq(const struct net_addr *a, const struct net_addr *b);
bool net_addr_ip_eq(const struct net_addr *a, const struct net_addr *b);
bool net_addr_is_v4(const struct net_addr *addr);
enum net_class net_addr_class(const struct net_addr *addr);
/* "ipv4" or "ipv6". */
const char *net_addr_network(const struct net_addr *addr);

/* IP, IP:PORT, [IP], [IP]:PORT; a bare IPv6 address without a port too. Without a port the
 * default's. */
bool net_addr_parse(const char *text, uint16_t default_port, struct net_addr *ret_addr);
/* IP:PORT or [IP]:PORT; returns dst. */
char *net_addr_format(char dst[NET_ADDR_TEXT], const struct net_addr *addr);
/* Without the port. */
char *net_addr_format_ip(char dst[NET_ADDR_TEXT], const struct net_addr *addr);

/* Of 4 or 16 bytes as they travel; returns how many net_addr_wire wrote. */
bool net_addr_from_wire(const uint8_t *ip, size_t len, uint32_t port, struct net_addr *ret_addr);
size_t net_addr_wire(const struct net_addr *addr, uint8_t ret_ip[16]);

/*
 * What one party is likely to own whole: /16 of public IPv4, /32 of public IPv6, /24 of private
 * IPv4 (/64 of private IPv6), address and port on loopback (40-network, "Address book").
 */
struct net_group {
	uint8_t len;
	uint8_t b[19];
};
struct net_group net_addr_group(const struct net_addr *addr);
bool net_group_eq(const struct net_group *a, const struct net_group *b);

/* An address with the link key that is known of it: KEY@ADDRESS. */
struct net_endpoint {
	struct net_addr addr;
	bool has_key;
	uint8_t key[RC_LINK_KEY_SIZE];
};
bool net_endpoint_parse(const char *text, uint16_t default_port, struct net_endpoint *ret);

/* ADDRESS or ADDRESS/BITS. */
struct net_subnet {
	uint8_t ip[16];
	uint8_t bits; /* of 128 */
};
#define NET_SUBNET_TEXT 56
bool net_subnet_parse(const char *text, struct net_subnet *ret_subnet);
char *net_subnet_format(char dst[NET_SUBNET_TEXT], const struct net_subnet *subnet);
bool net_subnet_has(const struct net_subnet *subnet, const struct net_addr *addr);
bool net_subnet_eq(const struct net_subnet *a, const struct net_subnet *b);

#endif
