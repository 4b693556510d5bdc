/* Why a link ended by its peer's doing: one table, for logs, counters and scores. */
#ifndef RC_LINK_FAULT_H
#define RC_LINK_FAULT_H

/* X(NAME, "stable-name", "text") */
#define RC_LINK_FAULT_TABLE(X)                                                             \
	X(RC_LINK_FAULT_NONE, "none", "nothing wrong")                                     \
	X(RC_LINK_FAULT_PATTERN, "pattern", "unknown or changed handshake pattern")        \
	X(RC_LINK_FAULT_POINT, "point", "a key of the handshake is not on the curve")      \
	X(RC_LINK_FAULT_HANDSHAKE_MAC, "handshake-mac", "handshake authentication failed") \
	X(RC_LINK_FAULT_PIN, "pin", "the peer has another link key than the expected one") \
	X(RC_LINK_FAULT_SELF, "self", "the peer has our own link key")                     \
	X(RC_LINK_FAULT_RECORD_MAC, "record-mac", "record authentication failed")          \
	X(RC_LINK_FAULT_HEAD, "head", "malformed head of a record")                        \
	X(RC_LINK_FAULT_ORDER, "order", "first and last fragments in wrong order")         \
	X(RC_LINK_FAULT_LENGTH, "length", "fragments do not add up to the message")        \
	X(RC_LINK_FAULT_LIMIT, "limit", "message longer than its type may be")             \
	X(RC_LINK_FAULT_REFUSED, "refused", "refused by the receiver")

enum rc_link_fault {
#define X(name, stable, text) name,
	RC_LINK_FAULT_TABLE(X)
#undef X
};

/* Stable short name, for metrics and RPC. */
const char *rc_link_fault_name(enum rc_link_fault fault);
/* What it means, for a log line. */
const char *rc_link_fault_text(enum rc_link_fault fault);

#endif
