/* Custom networks: each bound of the table, and the parameter file with all that may be wrong. */
#include "tests/unit/rc_test.h"

#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "consensus/pow.h"
#include "service/network_file.h"

static struct rc_network_params good_params(void)
{
	struct rc_network_params p = *rc_network_builtin_params("main");

	memset(p.name, 0, sizeof(p.name));
	memset(p.hrp, 0, sizeof(p.hrp));
	memcpy(p.name, "acme-1", 6);
	memcpy(p.hrp, "ac", 2);
	return p;
}

/* The field that is complained of must be named first. */
static void refuse(const struct rc_network_params *p, const char *field)
{
	struct rc_network n;
	struct rc_error error;

	memset(&n, 7, sizeof(n));
	assert_int_equal(rc_network_custom(p, &n, &error), RC_ERANGE);
	if (strncmp(error.text, field, strlen(field)) != 0 || error.text[strlen(field)] != ':')
		fail_msg("'%s' doesn't begin with %s", error.text, field);
	assert_int_equal(n.table_len & 0xff, 7); /* untouched */
}

static void accept(const struct rc_network_params *p)
{
	struct rc_network n;
	struct rc_error error;

	if (rc_network_custom(p, &n, &error))
		fail_msg("refused: %s", error.text);
}

#define WITH(member, value, verb, ...)                       \
	do {                                                 \
		struct rc_network_params p_ = good_params(); \
		p_.member = (value);                         \
		verb(&p_ __VA_OPT__(, ) __VA_ARGS__);        \
	} while (0)

static void test_number_bounds(void **state)
{
	(void)state;
	WITH(genesis_time, 1, accept);
	WITH(genesis_time, 0, refuse, "genesis_time");
	WITH(spacing, 1, accept);
	WITH(spacing, 3600, accept);
	WITH(spacing, 0, refuse, "spacing");
	WITH(spacing, 3601, refuse, "spacing");
	WITH(retarget, 2, refuse, "retarget");
	WITH(half_life, 1, accept);
	WITH(half_life, 31536000, accept);
	WITH(half_life, 0, refuse, "half_life");
	WITH(half_life, 31536001, refuse, "half_life");
	WITH(future_limit, 7200, accept);
	WITH(future_limit, 0, refuse, "future_limit");
	WITH(future_limit, 7201, refuse, "future_limit");
	WITH(subsidy, 0, accept);
	WITH(subsidy, 5000000000, accept); /* with main's halving exactly the limit */
	WITH(subsidy, 5000000001, refuse, "subsidy");
	WITH(subsidy, UINT64_MAX, refuse, "subsidy");
	WITH(halving, 1, accept);
	WITH(halving, 0, refuse, "halving");
	WITH(masternode_share, 90, accept);
	WITH(masternode_share, 91, refuse, "treasury_share");
	WITH(masternode_share, 101, refuse, "masternode_share");
	WITH(treasury_share, 60, accept);
	WITH(treasury_share, 61, refuse, "treasury_share");
	WITH(treasury_share, 255, refuse, "treasury_share");
	WITH(maturity, 65535, accept);
	WITH(maturity, 0, refuse, "maturity");
	WITH(maturity, 65536, refuse, "maturity");
	WITH(block_limit, 10000, accept);
	WITH(block_limit, 32000000, accept);
	WITH(block_limit, 9999, refuse, "block_limit");
	WITH(block_limit, 32000001, refuse, "block_limit");
	WITH(cycle, 1, accept);
	WITH(cycle, 0, refuse, "cycle");
	WITH(collateral, 1, accept);
	WITH(collateral, 0, refuse, "collateral");
	WITH(genesis_text_len, 0, accept);
	WITH(genesis_text_len, 64, accept);
	WITH(genesis_text_len, 65, refuse, "genesis_text");
}

static void test_bits_bounds(void **state)
{
	struct rc_network_params p = good_params();

	(void)state;
	WITH(limit_bits, 0x207fffff, accept);
	WITH(limit_bits, 0x2100ffff, refuse, "limit_bits"); /* over 0x207fffff */
	WITH(limit_bits, 0x1f800000, refuse, "limit_bits"); /* not canonical */
	WITH(limit_bits, 0, refuse, "limit_bits");
	WITH(genesis_bits, 0x1d00ffff, accept);
	WITH(genesis_bits, 0x1f00ffff, refuse, "genesis_bits"); /* over the limit */
	WITH(genesis_bits, 0x1e0000ff, refuse, "genesis_bits"); /* not canonical */
	/* Without retargets the spacing says nothing. */
	p.retarget = RC_RETARGET_NONE;
	p.spacing = 0;
	accept(&p);
	p.spacing = UINT32_MAX;
	accept(&p);
}

static void test_text_bounds(void **state)
{
	static const struct {
		const char *name, *hrp, *field; /* field NULL: good */
	} rows[] = {
		{"a", "a", NULL},      {"0123456789abcdef", "abcdefghijklmno", NULL},
		{"-", "rcrt", NULL},   {"", "a", "name"},
		{"Acme", "a", "name"}, {"a b", "a", "name"},
		{"main", "a", "name"}, {"test", "a", "name"},
		{"reg", "a", "name"},  {"a", "", "hrp"},
		{"a", "a1", "hrp"},    {"a", "A", "hrp"},
		{"a", "rc", "hrp"},    {"a", "trc", "hrp"},
	};

	(void)state;
	for (size_t i = 0; i < RC_ARRAY_LEN(rows); i++) {
		struct rc_network_params p = good_params();

		memset(p.name, 0, sizeof(p.name));
		memset(p.hrp, 0, sizeof(p.hrp));
		memcpy(p.name, rows[i].name, strlen(rows[i].name));
		memcpy(p.hrp, rows[i].hrp, strlen(rows[i].hrp));
		if (rows[i].field)
			refuse(&p, rows[i].field);
		else
			accept(&p);
	}
	/* Not terminated within the limit. */
	{
		struct rc_network_params p = good_params();

		memset(p.name, 'a', sizeof(p.name));
		refuse(&p, "name");
		p = good_params();
		memset(p.hrp, 'a', sizeof(p.hrp));
		refuse(&p, "hrp");
	}
}

static void test_table(void **state)
{
	struct rc_network_params p = good_params(), back;
	struct rc_buf buf = RC_BUF_INIT;

	(void)state;
	rc_network_table_encode(&p, &buf);
	assert_true(buf.len <= RC_NETWORK_TABLE_MAX);
	assert_true(rc_network_table_decode(buf.data, buf.len, &back));
	assert_memory_equal(&p, &back, sizeof(p));
	for (size_t cut = 0; cut < buf.len; cut++)
		assert_false(rc_network_table_decode(buf.data, cut, &back));
	rc_buf_put_u8(&buf, 0);
	assert_false(rc_network_table_decode(buf.data, buf.len, &back));
	buf.len--;
	buf.data[0] = 2; /* another version */
	assert_false(rc_network_table_decode(buf.data, buf.len, &back));
	buf.data[0] = 1;
	buf.data[4] = 0; /* a zero byte in the name */
	assert_false(rc_network_table_decode(buf.data, buf.len, &back));
	buf.data[2] = 17; /* a name too long */
	assert_false(rc_network_table_decode(buf.data, buf.len, &back));
	rc_buf_done(&buf);
	assert_null(rc_network_builtin_params("acme"));
	assert_false(rc_network_builtin("acme", &(struct rc_network){0}));
}

static void test_file_round_trip(void **state)
{
	struct rc_network_params p = good_params();
	struct rc_buf text = RC_BUF_INIT;
	struct rc_network n, back;
	struct rc_error error;

	(void)state;
	memset(p.genesis_text, 0, sizeof(p.genesis_text));
	memcpy(p.genesis_text, " \\\xff=# end ", 11);
	p.genesis_text_len = 11;
	assert_int_equal(rc_network_custom(&p, &n, &error), 0);
	memcpy(n.bootstrap, "10.0.0.1:37440, [::1]:1", 24);
	n.ports.rpcd = 1234;
	rc_network_write_ini(&n, &text);
	assert_int_equal(rc_network_parse_ini((char *)text.data, text.len, &back, &error), 0);
	assert_memory_equal(&n, &back, sizeof(n));
	rc_buf_done(&text);
}

/* The text of a good file with one line replaced (by nothing: left out), or one added. */
static char *changed_file(const char *key, const char *line)
{
	struct rc_network_params p = good_params();
	struct rc_buf text = RC_BUF_INIT, out = RC_BUF_INIT;
	struct rc_network n;
	struct rc_error error;
	size_t len;
	char *rest, *next;

	assert_int_equal(rc_network_custom(&p, &n, &error), 0);
	rc_network_write_ini(&n, &text);
	rc_buf_put_u8(&text, 0);
	for (rest = (char *)text.data; *rest; rest = next) {
		next = strchr(rest, '\n') + 1;
		if (key && strncmp(rest, key, strlen(key)) == 0 && rest[strlen(key)] == ' ')
			rc_buf_printf(&out, "%s\n", line);
		else
			rc_buf_put(&out, rest, (size_t)(next - rest));
	}
	if (!key)
		rc_buf_printf(&out, "%s\n", line);
	rc_buf_done(&text);
	rc_buf_put_u8(&out, 0);
	return (char *)rc_buf_take(&out, &len);
}

static void test_file_faults(void **state)
{
	static const struct {
		const char *key, *line, *words; /* words NULL: good */
	} rows[] = {
		{"maturity", "maturity=7", NULL},
		{"maturity", "\t maturity \t= 0x7\r", NULL},
		{"retarget", "retarget = none", NULL},
		{"port_rpcd", "", NULL},
		{NULL, "; a remark", NULL},
		{NULL, "bootstrap = a:1,b:2", NULL},
		{"maturity", "", "maturity: missing"},
		{"maturity", "maturity = 0", "maturity: 0 is not between"},
		{"maturity", "maturity = -1", "maturity: '-1' is no number"},
		{"maturity", "maturity = 1 2", "maturity: '1 2' is no number"},
		{"maturity", "maturity = 4294967296", "maturity: '4294967296' is no number"},
		{"maturity", "maturity =", "maturity: '' is no number"},
		{"collateral", "collateral = 18446744073709551616", "collateral: "},
		{"genesis_bits", "genesis_bits = 0x", "genesis_bits: '0x' is no number"},
		{"masternode_share", "masternode_share = 256", "masternode_share: '256'"},
		{"port_bus", "port_bus = 65536", "port_bus: '65536'"},
		{"retarget", "retarget = 1", "retarget: '1' is neither"},
		{"name", "name = 12345678901234567", "name: longer than 16"},
		{"genesis_text", "genesis_text = \\n", "genesis_text: at most"},
		{"genesis_text", "genesis_text = \\xF0", "genesis_text: at most"},
		{"genesis_text", "genesis_text = caf\xc3\xa9", "genesis_text: at most"},
		{"genesis_text",
		 "genesis_text = 12345678901234567890123456789012345678901234567890123456789012345",
		 "genesis_text: at most"},
		{"maturity", "[network]", "the only section is [network], once"},
		{NULL, "[other]", "line 25: '[other]'"},
		{NULL, "colour = red", "'colour' is no key"},
		{NULL, "maturity = 5", "line 25: maturity: set twice"},
		{NULL, "just words", "'just words' is not"},
	};
	struct rc_network n;
	struct rc_error error;

	(void)state;
	for (size_t i = 0; i < RC_ARRAY_LEN(rows); i++) {
		RC_AUTOFREE char *text = changed_file(rows[i].key, rows[i].line);
		int err = rc_network_parse_ini(text, strlen(text), &n, &error);

		if (!rows[i].words && err)
			fail_msg("row %zu: %s", i, error.text);
		if (rows[i].words && (!err || !strstr(error.text, rows[i].words)))
			fail_msg("row %zu: '%s' without '%s'", i, err ? error.text : "accepted",
				 rows[i].words);
	}
	assert_int_equal(rc_network_parse_ini("maturity = 1", 12, &n, &error), RC_ECONFIG);
	assert_int_equal(rc_network_parse_ini("a\0b", 3, &n, &error), RC_ECONFIG);
	assert_int_equal(rc_network_parse_ini("", RC_NETWORK_FILE_MAX + 1, &n, &error), RC_ECONFIG);
	assert_int_equal(rc_network_set(&n, "colour", "red", &error), RC_ECONFIG);
	assert_int_equal(rc_network_load("/nonexistent/network.ini", &n, &error), RC_ENOENT);
	assert_int_equal(rc_network_load("reg", &n, &error), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_number_bounds),	cmocka_unit_test(test_bits_bounds),
		cmocka_unit_test(test_text_bounds),	cmocka_unit_test(test_table),
		cmocka_unit_test(test_file_round_trip), cmocka_unit_test(test_file_faults),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
