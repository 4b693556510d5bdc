/* A body's JSON tree, within bounds (rpc.h, rpc_weight). */
#ifndef RPCD_BODY_H
#define RPCD_BODY_H

#include <stddef.h>

#include <jansson.h>

/* NULL: error says why. A member that stands twice in an object is an error, and anything may stand
 * alone. */
json_t *body_parse(const char *body, size_t len, json_error_t *error);

#endif
