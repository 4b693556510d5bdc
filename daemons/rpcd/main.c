/*
 * rpcd: HTTP in, bus out. It owns no durable fact and needs no disk; it translates what users ask
 * into requests to chaind, utxod and peerd, holds them while one of those restarts, and says of the
 * node whether it can do its work. It never judges a block, touches a database or a peer's link,
 * and nobody below ever waits for it. Who may call: the Unix socket's group, the cookie, rpcauth.
 */
#include <stdlib.h>

#include "base/log.h"
#include "daemons/rpcd/core.h"

int main(int argc, char **argv)
{
	return rc_service_main(&rpcd_service, argc, argv);
}
