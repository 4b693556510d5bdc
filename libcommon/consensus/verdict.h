/* Bad data from outside: one stable code a rule (20-consensus, "Errors"). */
#ifndef RC_CONSENSUS_VERDICT_H
#define RC_CONSENSUS_VERDICT_H

#include <stdbool.h>

enum rc_verdict {
	RC_VERDICT_OK = 0,
#define X(name, text, class, words) RC_V_##name,
#include "consensus/verdicts.def"
#undef X
	RC_VERDICT_COUNT
};

enum rc_verdict_class {
	RC_CLASS_OK,
	RC_CLASS_INVALID, /* provably broken: the sender is penalised */
	RC_CLASS_UNKNOWN, /* can't be told yet: retried, never remembered */
	RC_CLASS_POLICY,  /* valid but not relayed; never remembered */
};

/* "tx-input-missing"; "ok" for RC_VERDICT_OK. */
const char *rc_verdict_name(enum rc_verdict verdict);
/* What is broken, in a few words. */
const char *rc_verdict_words(enum rc_verdict verdict);
bool rc_verdict_parse(const char *name, enum rc_verdict *ret_verdict);

/* Class of a verdict on a header, a block, a proof or a pool's policy. */
enum rc_verdict_class rc_verdict_class(enum rc_verdict verdict);
/* Class of a verdict on a loose transaction, for which missing inputs and locks that have not come
 * are unknown. */
enum rc_verdict_class rc_verdict_class_loose(enum rc_verdict verdict);
/* "ok", "invalid", "unknown", "policy". */
const char *rc_verdict_class_name(enum rc_verdict_class class);

/* Whether a loose transaction's failure holds for its txid, whatever the witness: only then may a
 * txid be remembered as invalid. */
bool rc_verdict_without_witness(enum rc_verdict verdict);

/* Whether a block's failure may be remembered under its id: the body was shown to be the
 * header's. */
bool rc_verdict_names_block(enum rc_verdict verdict);

#endif
