/* Configuration files, as anybody may have written them, against a daemon's kinds of options. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "service/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct rc_option options[] = {
	{"n", RC_OPT_U64, 1, 1000000, NULL, NULL, "7", true, "A number."},
	{"l", RC_OPT_LIST, 0, 0, NULL, NULL, "a,b", true, "A list."},
	{"c", RC_OPT_CHOICE, 0, 0, NULL, "x|yy|zzz", "x", false, "A choice."},
	{"b", RC_OPT_BOOL, 0, 0, NULL, NULL, "no", false, "A switch."},
	{"t", RC_OPT_TEXT, 0, 100, NULL, NULL, NULL, false, "A text."},
	{"p", RC_OPT_PATH, 0, 0, NULL, NULL, NULL, false, "A path."},
	{NULL, 0, 0, 0, NULL, NULL, NULL, false, NULL},
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct rc_option *const tables[] = {options, NULL};
	struct rc_config *config = NULL;
	const char *const *list;
	struct rc_error error;

	if (rc_config_new(tables, NULL, 0, &config, &error) < 0)
		abort();
	if (rc_config_parse(config, "f", (const char *)data, size, &error) == 0) {
		if (rc_config_u64(config, "n") < 1 || rc_config_u64(config, "n") > 1000000)
			abort();
		for (size_t i = rc_config_list(config, "l", &list); i > 0; i--)
			if (!*list[i - 1])
				abort();
	} else if (!error.text[0]) {
		abort();
	}
	rc_config_free(config);
	return 0;
}
