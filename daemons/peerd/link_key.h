/*
 * This node's static link key: random, one a state directory. A directory copied to another machine
 * gets a new one there, so that two nodes never answer as one (40-network, "Address book").
 *
 * The file (0600): "RCLINKEY" | version u16 = 1 | secret 32 | machine 32 | SHA256 of all before,
 * machine being SHA256 of the machine's id.
 */
#ifndef PEERD_LINK_KEY_H
#define PEERD_LINK_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"

#define LINK_KEY_VERSION   1
#define LINK_KEY_FILE_SIZE (8 + 2 + 32 + 32 + 32)

/* SHA256 of the file's text; of nothing where there is no such file. */
void link_key_machine(const char *path, uint8_t ret_machine[32]);

void link_key_encode(const uint8_t secret[32], const uint8_t machine[32],
		     uint8_t ret_file[LINK_KEY_FILE_SIZE]);
int link_key_decode(const void *data, size_t len, uint8_t ret_secret[32], uint8_t ret_machine[32],
		    struct rc_error *error);

/* Reads the file, or makes one where there is none or it is another machine's. */
int link_key_load(const char *path, const uint8_t machine[32], const struct rc_random *random,
		  uint8_t ret_secret[32], struct rc_error *error);

#endif
