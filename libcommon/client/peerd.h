/*
 * Typed calls to peerd. Every call takes the bus client it goes by, a deadline and a function that
 * gets the answer exactly once; what the answer points to lives until that function returns.
 * Needed role: read for questions, admin for the rest.
 */
#ifndef RC_CLIENT_PEERD_H
#define RC_CLIENT_PEERD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bus/client.h"

/* Calls without an answer of their own: reply->err tells. */
typedef void (*rc_peerd_done_fn)(void *arg, const struct rc_reply *reply);

struct rc_peerd_net {
	uint32_t protocol;
	const char *user_agent;
	bool active;
	uint32_t inbound;
	uint32_t outbound;
	const char *const *listening; /* "ip:port" */
	size_t n_listening;
	uint8_t link_key[33];
	uint64_t bytes_received;
	uint64_t bytes_sent;
	uint64_t time_ms;
	const char *const *services;
	size_t n_services;
};
/* net is NULL when reply->err is not 0; so it is with all of these. */
typedef void (*rc_peerd_net_fn)(void *arg, const struct rc_reply *reply,
				const struct rc_peerd_net *net);
void rc_peerd_net_info(struct rc_client *client, uint32_t deadline_ms, rc_peerd_net_fn fn,
		       void *arg);

/* A link. Times: last_* and connected in milliseconds since 1970 (0: never), ping in
 * microseconds (0: not measured). */
struct rc_peerd_peer {
	uint64_t id;
	const char *addr;
	bool inbound;
	const char *role;    /* "outbound", "block-only", "inbound", "manual", "feeler" */
	const char *network; /* "ipv4", "ipv6" */
	const char *transport;
	const char *user_agent;
	uint32_t version;
	const char *const *services;
	size_t n_services;
	bool relay; /* wants transactions */
	uint64_t last_send_ms, last_recv_ms;
	uint64_t bytes_sent, bytes_received;
	uint64_t ping_us;
	uint64_t connected_ms;
	uint32_t synced_headers; /* height of the best header it showed */
	uint32_t synced_blocks;	 /* of the last block it gave */
	uint32_t start_height;
	uint32_t score;
	uint32_t in_flight;
	uint8_t link_key[33]; /* all zero before the handshake */
	const char *state;    /* "connecting", "handshake", "hello", "ready" */
};
typedef void (*rc_peerd_peers_fn)(void *arg, const struct rc_reply *reply,
				  const struct rc_peerd_peer *peers, size_t n_peers);
void rc_peerd_peer_info(struct rc_client *client, uint32_t deadline_ms, rc_peerd_peers_fn fn,
			void *arg);

struct rc_peerd_address {
	const char *addr; /* without the port */
	uint16_t port;
	uint64_t time; /* seconds since 1970 when it was last known to be there */
	const char *const *services;
	size_t n_services;
	const char *network;
	bool has_key;
	uint8_t link_key[33];
};
typedef void (*rc_peerd_addresses_fn)(void *arg, const struct rc_reply *reply,
				      const struct rc_peerd_address *addresses, size_t n_addresses);
/* count 0: all; network, service NULL or "": any. */
void rc_peerd_node_addresses(struct rc_client *client, uint32_t count, const char *network,
			     const char *service, uint32_t deadline_ms, rc_peerd_addresses_fn fn,
			     void *arg);

/* How many addresses the book has of a network ("ipv4", "ipv6", "all"). */
struct rc_peerd_book {
	const char *network;
	uint32_t fresh; /* "new" in the field's words */
	uint32_t tried;
};
typedef void (*rc_peerd_books_fn)(void *arg, const struct rc_reply *reply,
				  const struct rc_peerd_book *books, size_t n_books);
void rc_peerd_addrman_info(struct rc_client *client, uint32_t deadline_ms, rc_peerd_books_fn fn,
			   void *arg);

/* Times in seconds since 1970. */
struct rc_peerd_ban {
	const char *subnet;
	uint64_t created;
	uint64_t until;
	const char *reason;
};
typedef void (*rc_peerd_bans_fn)(void *arg, const struct rc_reply *reply,
				 const struct rc_peerd_ban *bans, size_t n_bans);
void rc_peerd_list_banned(struct rc_client *client, uint32_t deadline_ms, rc_peerd_bans_fn fn,
			  void *arg);

/* addr: IP:PORT or [IP]:PORT, KEY@ (66 digits) before it where the link key is known. command:
 * "add", "remove", "onetry". RC_EEXIST if it was added before, RC_ENOENT if it wasn't. */
void rc_peerd_add_node(struct rc_client *client, const char *addr, const char *command,
		       uint32_t deadline_ms, rc_peerd_done_fn fn, void *arg);
/* By address, or by id where addr is NULL or "". RC_ENOENT if there is no such link. */
void rc_peerd_disconnect(struct rc_client *client, const char *addr, uint64_t id,
			 uint32_t deadline_ms, rc_peerd_done_fn fn, void *arg);
/* subnet: an address, or address/bits. seconds 0: 24 hours; absolute: seconds since 1970.
 * RC_EEXIST if it is banned already, RC_ENOENT if there is no such ban to remove. */
void rc_peerd_set_ban(struct rc_client *client, const char *subnet, bool remove, uint64_t seconds,
		      bool absolute, uint32_t deadline_ms, rc_peerd_done_fn fn, void *arg);
void rc_peerd_clear_banned(struct rc_client *client, uint32_t deadline_ms, rc_peerd_done_fn fn,
			   void *arg);
void rc_peerd_set_network_active(struct rc_client *client, bool active, uint32_t deadline_ms,
				 rc_peerd_done_fn fn, void *arg);
/* Asks every peer for an answer now; the times are then in rc_peerd_peer_info. */
void rc_peerd_ping_peers(struct rc_client *client, uint32_t deadline_ms, rc_peerd_done_fn fn,
			 void *arg);

#endif
