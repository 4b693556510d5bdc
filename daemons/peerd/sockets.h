/* The real transport: non-blocking TCP over IPv4 and IPv6 behind the core's net_ops; what is
 * dialled may go through a SOCKS5 proxy. */
#ifndef PEERD_SOCKETS_H
#define PEERD_SOCKETS_H

#include "bus/loop.h"
#include "daemons/peerd/peerd.h"

struct sockets;

struct sockets_config {
	const char *const *listen; /* addresses; none: both wildcards, the ones this host has */
	size_t n_listen;
	bool listening;
	uint16_t port;
	uint32_t user_timeout_ms; /* TCP_USER_TIMEOUT: link_timeout */
	bool has_proxy;		  /* everything is dialled through it */
	struct net_addr proxy;
	bool proxy_isolate; /* each dial has a user and a password of its own, by chance */
	const struct rc_random *random;
};

/* Binds; nothing is accepted before sockets_start. RC_EUNAVAILABLE: a port in use. */
int sockets_open(const struct sockets_config *config, struct sockets **ret, struct rc_error *error);
/* All connections must be closed (peerd_free does it). NULL is fine. */
void sockets_close(struct sockets *sockets);
void sockets_start(struct sockets *sockets, struct rc_loop *loop, struct peerd *core);
/* No new connections any more. */
void sockets_stop_listening(struct sockets *sockets);

extern const struct net_ops sockets_net_ops; /* its ctx is the struct sockets */

size_t sockets_n_listening(const struct sockets *sockets);
struct net_addr sockets_listening(const struct sockets *sockets, size_t i);

/* Addresses of this host's interfaces that others may reach: at most max. */
size_t sockets_own_addresses(uint16_t port, bool private_ok, struct net_addr *ret, size_t max);

#endif
