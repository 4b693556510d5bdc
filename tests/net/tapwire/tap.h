/* A TAP interface in a network namespace. It goes with the descriptor. */
#ifndef TAPWIRE_TAP_H
#define TAPWIRE_TAP_H

#include <stddef.h>
#include <stdint.h>

/* Makes interface ifname with this address in the namespace of a file (/proc/PID/ns/net,
 * /run/netns/NAME); the caller stays in its own. Returns a non-blocking descriptor, or -1 with a
 * sentence. Setting it up and giving it addresses is the host's affair. */
int tap_open(const char *netns, const char *ifname, const uint8_t mac[6], char *ret_error,
	     size_t error_size);

#endif
