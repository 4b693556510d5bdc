/* The handlers, one a row of methods.def, and the order of each object's fields. */
#ifndef RPCD_METHODS_H
#define RPCD_METHODS_H

#include "daemons/rpcd/rpc.h"

#define METHOD(ident, ...) void on_##ident(struct rpc_call *call);
#include "daemons/rpcd/methods.def"
#undef METHOD

/* Fields of template_request and of the addresses' object, by index. */
enum template_field {
	TEMPLATE_MODE,
	TEMPLATE_CAPABILITIES,
	TEMPLATE_RULES,
	TEMPLATE_LONGPOLLID,
	TEMPLATE_FORCE,
	TEMPLATE_TIMEOUT,
};
enum address_field {
	ADDRESS_ADDRESSES,
	ADDRESS_LOCKHASHES,
	ADDRESS_MEMPOOL,
	ADDRESS_LIMIT, /* these of getaddressutxos alone */
	ADDRESS_AFTER,
};

/* Coins of one answer of getaddressutxos: some 200 bytes each here, 500 in the answer. */
#define ADDRESS_COINS_MAX 200000

#define METHODS_GROUPS "chain", "mining", "transactions", "addresses", "network", "control"

/* The table, sorted; its methods are the caller's to free. */
struct rpc_table methods_table(void);

/* help.c: what the table says, of one method or of all, and as an OpenRPC document. */
void help_method(const struct rpc_method *method, struct rc_buf *buf);
void help_all(const struct rpc_table *table, struct rc_buf *buf);
void help_openrpc(const struct rpc_table *table, struct json_out *out);
/* The list of rustycoin-rpc(7). */
void help_mdoc(const struct rpc_table *table, struct rc_buf *buf);
const char *help_type_name(enum rpc_type type);

#endif
