/* The table of methods, made of methods.def. */
#include "daemons/rpcd/methods.h"

#include <stdlib.h>
#include <string.h>

#include "base/num.h"

#define NEED(name, type, min, max, text) {name, RPC_TYPE_##type, false, min, max, NULL, text, NULL},
#define MAY(name, type, min, max, def, text) \
	{name, RPC_TYPE_##type, true, min, max, def, text, NULL},
#define NEED_OBJECT(name, fields, text) {name, RPC_TYPE_OBJECT, false, 0, 0, NULL, text, fields},
#define MAY_OBJECT(name, fields, text)	{name, RPC_TYPE_OBJECT, true, 0, 0, NULL, text, fields},
#define FIELD(name, type, min, max, def, text)                         \
	{                                                              \
		name, RPC_TYPE_##type, true, min, max, def, text, NULL \
	}

static const struct rpc_param template_fields[] = {
	[TEMPLATE_MODE] = FIELD("mode", TEXT, 0, 16, "template", "template: the only one"),
	[TEMPLATE_CAPABILITIES] = FIELD("capabilities", TEXTS, 0, 32, NULL, "ignored, as in BIP22"),
	[TEMPLATE_RULES] = FIELD("rules", TEXTS, 0, 32, NULL, "ignored, as in BIP9"),
	[TEMPLATE_LONGPOLLID] = FIELD("longpollid", HEX, 1, 64, NULL,
				      "of a template that is known: waits until there is another"),
	[TEMPLATE_FORCE] = FIELD("force", BOOL, 0, 0, "false",
				 "also where the network starts long after its genesis time"),
	[TEMPLATE_TIMEOUT] =
		FIELD("timeout", INT, 0, 600000, "60000", "milliseconds a long poll lasts at most"),
	{.name = NULL},
};

#define WHOSE                                                                          \
	[ADDRESS_ADDRESSES] =                                                          \
		FIELD("addresses", TEXTS, 0, 1000, NULL, "addresses of this network"), \
	[ADDRESS_LOCKHASHES] = FIELD("lockhashes", TEXTS, 0, 1000, NULL,               \
				     "SHA256 of encoded locks, 64 digits each"),       \
	[ADDRESS_MEMPOOL] = FIELD("mempool", BOOL, 0, 0, "true",                       \
				  "whether what the pool makes and spends counts")

static const struct rpc_param address_fields[] = {
	WHOSE,
	{.name = NULL},
};

static const struct rpc_param coins_fields[] = {
	WHOSE,
	[ADDRESS_LIMIT] = FIELD("limit", INT, 1, ADDRESS_COINS_MAX, NULL,
				"coins of the state in one answer, which has next if there are "
				"more; absent: all, but more than 200,000 are an error"),
	[ADDRESS_AFTER] = FIELD("after", TEXT, 66, 200, NULL,
				"next of the answer before, whose block this one holds for too"),
	{.name = NULL},
};

#define METHOD(ident, name, class, group, seconds, summary, result, ...) \
	static const struct rpc_param params_##ident[] = {__VA_ARGS__{0}};
#include "daemons/rpcd/methods.def"
#undef METHOD

static const struct rpc_method rows[] = {
#define METHOD(ident, name, class, group, seconds, summary, result, ...) \
	{name,                                                           \
	 RPC_##class,                                                    \
	 group,                                                          \
	 (seconds)*1000u,                                                \
	 on_##ident,                                                     \
	 summary,                                                        \
	 result,                                                         \
	 params_##ident,                                                 \
	 RC_ARRAY_LEN(params_##ident) - 1},
#include "daemons/rpcd/methods.def"
#undef METHOD
};

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct rpc_method *)a)->name, ((const struct rpc_method *)b)->name);
}

struct rpc_table methods_table(void)
{
	struct rpc_method *sorted = rc_memdup(rows, sizeof(rows));

	qsort(sorted, RC_ARRAY_LEN(rows), sizeof(*sorted), by_name);
	return (struct rpc_table){sorted, RC_ARRAY_LEN(rows)};
}
