/* Options: what is a value, what isn't, and what a person is told. */
#include "service/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/num.h"
#include "tests/unit/rc_test.h"

static const struct rc_option options[] = {
	{"cache_mb", RC_OPT_U64, 16, 1024, "MiB", NULL, "64", true, "Memory."},
	{"listen", RC_OPT_LIST, 0, 0, NULL, NULL, "127.0.0.1,::1", false, "Addresses."},
	{"mode", RC_OPT_CHOICE, 0, 0, NULL, "full|light", "full", false, "Kind of node."},
	{"prune", RC_OPT_BOOL, 0, 0, NULL, NULL, "no", false, "Forget old blocks."},
	{"comment", RC_OPT_TEXT, 2, 8, NULL, NULL, NULL, false, "Two to eight bytes."},
	{"key", RC_OPT_PATH, 0, 0, NULL, NULL, NULL, false, "A file."},
	{NULL, 0, 0, 0, NULL, NULL, NULL, false, NULL},
};
static const struct rc_option *const tables[] = {options, NULL};

static struct rc_config *config_of(const char *const *settings, size_t n)
{
	struct rc_config *config = NULL;
	struct rc_error error;

	if (rc_config_new(tables, settings, n, &config, &error) < 0)
		fail_msg("%s", error.text);
	return config;
}

static void test_defaults(void **state)
{
	struct rc_config *config = config_of(NULL, 0);
	const char *const *list;

	(void)state;
	assert_int_equal(rc_config_u64(config, "cache_mb"), 64);
	assert_int_equal(rc_config_list(config, "listen", &list), 2);
	assert_string_equal(list[1], "::1");
	assert_string_equal(rc_config_text(config, "mode"), "full");
	assert_false(rc_config_bool(config, "prune"));
	assert_null(rc_config_text(config, "comment"));
	assert_false(rc_config_is_set(config, "cache_mb"));
	rc_config_free(config);
}

static void test_values(void **state)
{
	static const char *const settings[] = {
		"cache-mb=16", "listen=a, b ,,c", "listen=d", "mode=light",
		"prune=TRUE",  "comment=a=b;#c",  "key=/a/b",
	};
	struct rc_config *config = config_of(settings, RC_ARRAY_LEN(settings));
	const char *const *list;

	(void)state;
	assert_int_equal(rc_config_u64(config, "cache_mb"), 16);
	assert_true(rc_config_is_set(config, "cache_mb"));
	assert_int_equal(rc_config_list(config, "listen", &list), 4);
	assert_string_equal(list[0], "a");
	assert_string_equal(list[3], "d");
	assert_string_equal(rc_config_text(config, "listen"), "a,b,c,d");
	assert_true(rc_config_bool(config, "prune"));
	assert_string_equal(rc_config_text(config, "comment"), "a=b;#c");
	assert_string_equal(rc_config_text(config, "key"), "/a/b");
	rc_config_free(config);
}

static void test_bad_values(void **state)
{
	static const struct {
		const char *setting;
		const char *said;
	} cases[] = {
		{"cache_mb=15", "from 16 to 1024 MiB"},
		{"cache_mb=1025", "from 16 to 1024 MiB"},
		{"cache_mb=", "from 16 to 1024 MiB"},
		{"cache_mb=-64", "from 16 to 1024 MiB"},
		{"cache_mb=64k", "from 16 to 1024 MiB"},
		{"cache_mb=18446744073709551680", "from 16 to 1024 MiB"},
		{"mode=lite", "one of full|light"},
		{"mode=full|light", "one of full|light"},
		{"mode=", "one of full|light"},
		{"prune=maybe", "say yes or no"},
		{"comment=x", "2 to 8 bytes"},
		{"comment=123456789", "2 to 8 bytes"},
		{"key=", "a path is wanted"},
		{"cahce_mb=1", "did you mean 'cache_mb'?"},
		{"lisen=1", "did you mean 'listen'?"},
		{"=1", "there is no option ''"},
		{"cache_mb", "name=value is wanted"},
	};

	(void)state;
	for (size_t i = 0; i < RC_ARRAY_LEN(cases); i++) {
		struct rc_config *config = NULL;
		struct rc_error error;

		assert_int_equal(rc_config_new(tables, &cases[i].setting, 1, &config, &error),
				 RC_ECONFIG);
		assert_null(config);
		if (!strstr(error.text, cases[i].said))
			fail_msg("'%s': '%s' doesn't say '%s'", cases[i].setting, error.text,
				 cases[i].said);
	}
}

static int parse(const char *text, struct rc_config **ret, struct rc_error *error)
{
	*ret = config_of(NULL, 0);
	return rc_config_parse(*ret, "a.conf", text, strlen(text), error);
}

static void test_file(void **state)
{
	static const char text[] = "\xef\xbb\xbf# a comment\n"
				   "; another\n"
				   "\n"
				   "cache_mb = 128\r\n"
				   "  mode=light\n"
				   "   comment = a ; b\n"
				   "listen = x\n"
				   "listen = y\n"
				   "[chaind]\n"
				   "nonsense = 7\n"
				   "cache_mb = 512";
	struct rc_config *config;
	struct rc_error error;
	const char *const *list;

	(void)state;
	if (parse(text, &config, &error) < 0)
		fail_msg("%s", error.text);
	assert_int_equal(rc_config_u64(config, "cache_mb"), 128);
	assert_string_equal(rc_config_text(config, "mode"), "light");
	assert_string_equal(rc_config_text(config, "comment"), "a ; b");
	assert_int_equal(rc_config_list(config, "listen", &list), 2);
	rc_config_free(config);
}

static void test_bad_files(void **state)
{
	RC_AUTOFREE char *long_value = rc_alloc(5000);
	const struct {
		const char *text;
		const char *said;
	} cases[] = {
		{"cache_mb = 128\n\ncache = 1\n", "a.conf:3: there is no option 'cache'"},
		{"mode = light\nmode = full\n", "a.conf:2: mode is given twice, first at a.conf:1"},
		{"# x\nhello\n", "a.conf:2: neither 'name = value' nor '[section]'"},
		{"\n[utoxd]\na = 1\n", "a.conf:3: there is no section [utoxd]"},
		{"[utxod\n", "a.conf:1: neither"},
		{"mode = light\n  full\n", "a.conf:2: neither"},
		{long_value, "a.conf:1: the line is longer than 4096 bytes"},
	};

	(void)state;
	memset(long_value, 'x', 4999);
	memcpy(long_value, "comment = ", 10);
	for (size_t i = 0; i < RC_ARRAY_LEN(cases); i++) {
		struct rc_config *config;
		struct rc_error error;

		assert_int_equal(parse(cases[i].text, &config, &error), RC_ECONFIG);
		if (!strstr(error.text, cases[i].said))
			fail_msg("'%s' doesn't say '%s'", error.text, cases[i].said);
		rc_config_free(config);
	}
}

static void write_file(const char *dir, const char *name, const char *text)
{
	RC_AUTOFREE char *path = rc_asprintf("%s/%s", dir, name);
	struct rc_error error;

	assert_int_equal(rc_file_replace(path, text, strlen(text), 0644, &error), RC_OK);
}

static void remove_file(const char *dir, const char *name)
{
	RC_AUTOFREE char *path = rc_asprintf("%s/%s", dir, name);

	assert_int_equal(remove(path), 0);
}

/* Files, drop-ins, sections and the command line, the later winning; a reload. */
static void test_sources(void **state)
{
	const struct rc_config_program program = {"utxod", "a test", tables, NULL};
	char dir[] = "/tmp/rc-config-XXXXXX";
	RC_AUTOFREE char *drop = NULL;
	RC_AUTOFREE char *option = NULL;
	struct rc_buf changed = RC_BUF_INIT, kept = RC_BUF_INIT;
	struct rc_config *config = NULL, *fresh = NULL;
	enum rc_config_mode mode;
	struct rc_error error;
	const char *const *list;
	char *argv[] = {(char *)"utxod", NULL, (char *)"--mode", (char *)"light",
			(char *)"--prune"};

	(void)state;
	assert_non_null(mkdtemp(dir));
	drop = rc_asprintf("%s/c.conf.d", dir);
	assert_int_equal(rc_dir_make(drop, 0755, &error), RC_OK);
	option = rc_asprintf("--config=%s/c.conf", dir);
	argv[1] = option;
	write_file(
		dir, "c.conf",
		"cache_mb = 100\nlisten = a\nmode = full\nkey = my.key\n[utxod]\ncache_mb = 200\n");
	write_file(drop, "10.conf", "listen = b,c\ncomment = one\n");
	write_file(drop, "20.conf", "comment = two\n");
	write_file(drop, "30.conf~", "garbage\n");
	if (rc_config_load(&program, 5, argv, &config, &mode, &error) < 0)
		fail_msg("%s", error.text);
	assert_int_equal(mode, RC_MODE_RUN);
	assert_int_equal(rc_config_u64(config, "cache_mb"), 200);
	assert_int_equal(rc_config_list(config, "listen", &list), 2); /* replaced, not added */
	assert_string_equal(list[0], "b");
	assert_string_equal(rc_config_text(config, "comment"), "two");
	assert_string_equal(rc_config_text(config, "mode"), "light");
	assert_true(rc_config_bool(config, "prune"));
	assert_non_null(strstr(rc_config_text(config, "key"), "/my.key"));
	assert_memory_equal(rc_config_text(config, "key"), dir, strlen(dir));

	write_file(dir, "c.conf", "cache_mb = 300\nkey = my.key\n");
	assert_int_equal(rc_config_load(&program, 5, argv, &fresh, &mode, &error), RC_OK);
	write_file(drop, "20.conf", "comment = x\n");
	rc_config_take_over(config, fresh, &changed, &kept);
	assert_int_equal(changed.len, strlen("cache_mb"));
	assert_int_equal(kept.len, 0);
	assert_int_equal(rc_config_u64(config, "cache_mb"), 300);
	rc_config_free(fresh);
	fresh = NULL;
	assert_int_equal(rc_config_load(&program, 5, argv, &fresh, &mode, &error), RC_ECONFIG);
	assert_non_null(strstr(error.text, "c.conf.d/20.conf:1: comment"));
	argv[1] = (char *)"--config=/nowhere/c.conf";
	assert_int_equal(rc_config_load(&program, 5, argv, &fresh, &mode, &error), RC_ECONFIG);
	assert_non_null(strstr(error.text, "/nowhere/c.conf"));
	rc_config_free(config);
	rc_buf_done(&changed);
	rc_buf_done(&kept);
	remove_file(drop, "10.conf");
	remove_file(drop, "20.conf");
	remove_file(drop, "30.conf~");
	rmdir(drop);
	remove_file(dir, "c.conf");
	rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),   cmocka_unit_test(test_values),
		cmocka_unit_test(test_bad_values), cmocka_unit_test(test_file),
		cmocka_unit_test(test_bad_files),  cmocka_unit_test(test_sources),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
