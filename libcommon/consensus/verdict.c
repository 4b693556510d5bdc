/* Names and classes of verdicts, all from the one table. */
#include "consensus/verdict.h"

#include <stddef.h>
#include <string.h>

static const struct {
	const char *name;
	const char *words;
	enum rc_verdict_class class;
} verdicts[RC_VERDICT_COUNT] = {
	[RC_VERDICT_OK] = {"ok", "every rule holds", RC_CLASS_OK},
#define X(name, text, class, words) [RC_V_##name] = {text, words, RC_CLASS_##class},
#include "consensus/verdicts.def"
#undef X
};

const char *rc_verdict_name(enum rc_verdict verdict)
{
	return verdicts[verdict].name;
}

const char *rc_verdict_words(enum rc_verdict verdict)
{
	return verdicts[verdict].words;
}

bool rc_verdict_parse(const char *name, enum rc_verdict *ret_verdict)
{
	for (size_t i = 0; i < RC_VERDICT_COUNT; i++)
		if (strcmp(verdicts[i].name, name) == 0) {
			*ret_verdict = (enum rc_verdict)i;
			return true;
		}
	return false;
}

enum rc_verdict_class rc_verdict_class(enum rc_verdict verdict)
{
	return verdicts[verdict].class;
}

enum rc_verdict_class rc_verdict_class_loose(enum rc_verdict verdict)
{
	if (verdict == RC_V_TX_INPUT_MISSING || verdict == RC_V_TX_INPUT_IMMATURE ||
	    verdict == RC_V_TX_LOCK_TIME || verdict == RC_V_TX_RELATIVE_LOCK)
		return RC_CLASS_UNKNOWN;
	return verdicts[verdict].class;
}

const char *rc_verdict_class_name(enum rc_verdict_class class)
{
	static const char *const names[] = {"ok", "invalid", "unknown", "policy"};

	return names[class];
}

bool rc_verdict_without_witness(enum rc_verdict verdict)
{
	if (verdict == RC_V_TX_INPUT_LOCK || verdict == RC_V_TX_OVERSPEND)
		return true;
	return verdict >= RC_V_TX_COINBASE && verdict <= RC_V_TX_PAYLOAD;
}

bool rc_verdict_names_block(enum rc_verdict verdict)
{
	if (verdict == RC_V_BLOCK_SIZE_MAX || verdict == RC_V_BLOCK_PARSE ||
	    verdict == RC_V_BLOCK_ROOT_MISMATCH || verdict == RC_V_TX_PARSE ||
	    verdict == RC_V_TX_COINBASE || verdict >= RC_V_PROOF_INVALID)
		return false;
	return verdicts[verdict].class == RC_CLASS_INVALID;
}
