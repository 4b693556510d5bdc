/* The network between hosts, as faults and strangers see it (net.c). */
#ifndef SIM_NET_H
#define SIM_NET_H

#include "daemons/peerd/netaddr.h"
#include "sim.h"

void sim_net_init(unsigned nodes);
/* Of node i: a /16 of its own. */
void sim_net_address(unsigned node, struct net_addr *ret);
/* Whether bytes go from a to b. */
void sim_net_cut(unsigned from, unsigned to, bool cut);
/* How many times as long they take. */
void sim_net_slow(unsigned a, unsigned b, unsigned times);
void sim_net_heal(void);
/* A host without power: its connections are gone, and nobody is told. */
void sim_net_host_up(unsigned node, bool up);
/* A process ended: its host says so to whom it was connected with. */

/* Breaks a connection of the node by chance; false: it has none. */
bool sim_net_reset_one(unsigned node);
/* Of dials. */
extern double sim_net_syn_loss;

/* Who is no process of ours: a host that says what the test likes. */
struct sim_conn;
struct sim_stranger_ops {
	void (*connected)(void *arg);
	void (*received)(void *arg, const uint8_t *data, size_t len);
	void (*lost)(void *arg);
};
struct sim_conn *sim_stranger_dial(const struct net_addr *from, const struct net_addr *to,
				   const struct sim_stranger_ops *ops, void *arg);
void sim_stranger_send(struct sim_conn *conn, const uint8_t *data, size_t len);
void sim_stranger_close(struct sim_conn *conn);
/* A dial to an address that is no node's: true if it was taken by sim_stranger_take. */
extern bool (*sim_stranger_listens)(const struct net_addr *to, struct sim_conn *conn);
struct sim_conn *sim_stranger_take(struct sim_conn *conn, const struct sim_stranger_ops *ops,
				   void *arg);

#endif
