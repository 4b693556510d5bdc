/* The control lines of a wire: each is carried out whole or refused with a sentence. */
#ifndef TAPWIRE_CONTROL_H
#define TAPWIRE_CONTROL_H

#include <stdio.h>

#include "tests/net/tapwire/wire.h"

/* For --help: the lines that are understood. */
extern const char control_help[];

/* Carries a line (which is cut into words) out; one line of answer goes to out: "ok", "error: " and
 * why, or JSON. An empty line and one that begins with # have no answer. */
void control_line(struct wire *wire, char *line, FILE *out);

#endif
