/* See fault.h. */
#include "link/fault.h"

const char *rc_link_fault_name(enum rc_link_fault fault)
{
	static const char *const names[] = {
#define X(name, stable, text) [name] = stable,
		RC_LINK_FAULT_TABLE(X)
#undef X
	};

	return names[fault];
}

const char *rc_link_fault_text(enum rc_link_fault fault)
{
	static const char *const texts[] = {
#define X(name, stable, text) [name] = text,
		RC_LINK_FAULT_TABLE(X)
#undef X
	};

	return texts[fault];
}
