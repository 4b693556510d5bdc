/* What utxod tells of itself. */
#ifndef UTXOD_STATUS_H
#define UTXOD_STATUS_H

#include "daemons/utxod/utxod.h"

/* The service's status hook. */
void utxod_status(void *ctx, struct rc_status *ret);

#endif
