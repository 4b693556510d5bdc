/*
 * The client's side of SOCKS5 (RFC 1928, and RFC 1929 for user and password), without its socket:
 * what to send, how much to read, what came of it. It never asks for a byte that isn't the proxy's,
 * so what follows is the peer's from its first byte. Pure.
 */
#ifndef PEERD_SOCKS_H
#define PEERD_SOCKS_H

#include "daemons/peerd/netaddr.h"

/* User and password, each: RFC 1929 allows 255. */
#define SOCKS_TEXT_MAX 64

enum socks_step {
	SOCKS_GOING,
	SOCKS_DONE,	/* the next byte is the peer's */
	SOCKS_NO_PEER,	/* the proxy works, the address can't be reached */
	SOCKS_NO_PROXY, /* it is no SOCKS5 proxy, or doesn't want us */
};

struct socks {
	enum socks_step step;
	const char *why; /* of the last two */
	struct net_addr target;
	char user[SOCKS_TEXT_MAX + 1], password[SOCKS_TEXT_MAX + 1]; /* user empty: none */
	enum socks_part { SOCKS_METHOD, SOCKS_AUTH, SOCKS_HEAD, SOCKS_REST } part;
	/* To be sent: the longest is that of RFC 1929. */
	uint8_t out[3 + 2 * SOCKS_TEXT_MAX];
	size_t out_len;
	uint8_t in[5];	   /* of the part that comes; the address in an answer isn't kept */
	size_t have, want; /* bytes of it */
};

/* user NULL or empty: the proxy is told none. */
void socks_begin(struct socks *socks, const struct net_addr *target, const char *user,
		 const char *password);
/* The first n bytes of out are sent. */
void socks_sent(struct socks *socks, size_t n);
/* How many bytes may be read now; ≥ 1 while it goes on. */
size_t socks_wants(const struct socks *socks);
/* Takes 1 … socks_wants bytes. */
enum socks_step socks_take(struct socks *socks, const uint8_t *data, size_t len);

#endif
