/*
 * The API's HTTP: libmicrohttpd inside rpcd's loop. A request is suspended until its answer is
 * there, so that one thread holds any number of them.
 */
#ifndef RPCD_HTTP_H
#define RPCD_HTTP_H

#include "daemons/rpcd/listen.h"
#include "daemons/rpcd/rpcd.h"

struct front;

/* Takes the listening sockets over. */
int front_open(struct rpcd *rpcd, const struct listen_socket *sockets, size_t n, struct front **ret,
	       struct rc_error *error);
/* No new connections; requests in hand go on. */
void front_quiesce(struct front *front);
/* Requests that wait for an answer. */
size_t front_in_flight(const struct front *front);
/* NULL is fine. */
void front_close(struct front *front);

#endif
