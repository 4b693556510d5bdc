/*
 * Parameter files: one table of keys, from which reading and writing are made. Strict, since two
 * nodes that read one file differently would be on two networks.
 */
#include "service/network_file.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

enum kind {
	KIND_TEXT,     /* terminated, of size bytes with the terminator */
	KIND_GENESIS,  /* genesis_text with its length */
	KIND_NUMBER,   /* unsigned, of size bytes */
	KIND_BITS,     /* u32, written in hexadecimal */
	KIND_RETARGET, /* a word */
};

struct key {
	const char *name;
	enum kind kind;
	size_t at;
	size_t size;
	bool optional;
};

#define FIELD(name, kind, member, optional)                                \
	{                                                                  \
		name, kind, offsetof(struct rc_network, member),           \
			sizeof(((struct rc_network *)0)->member), optional \
	}

static const struct key keys[] = {
	FIELD("name", KIND_TEXT, params.name, false),
	FIELD("hrp", KIND_TEXT, params.hrp, false),
	FIELD("genesis_time", KIND_NUMBER, params.genesis_time, false),
	FIELD("genesis_bits", KIND_BITS, params.genesis_bits, false),
	FIELD("genesis_text", KIND_GENESIS, params.genesis_text, false),
	FIELD("spacing", KIND_NUMBER, params.spacing, false),
	FIELD("retarget", KIND_RETARGET, params.retarget, false),
	FIELD("limit_bits", KIND_BITS, params.limit_bits, false),
	FIELD("half_life", KIND_NUMBER, params.half_life, false),
	FIELD("future_limit", KIND_NUMBER, params.future_limit, false),
	FIELD("subsidy", KIND_NUMBER, params.subsidy, false),
	FIELD("halving", KIND_NUMBER, params.halving, false),
	FIELD("masternode_share", KIND_NUMBER, params.masternode_share, false),
	FIELD("treasury_share", KIND_NUMBER, params.treasury_share, false),
	FIELD("maturity", KIND_NUMBER, params.maturity, false),
	FIELD("block_limit", KIND_NUMBER, params.block_limit, false),
	FIELD("cycle", KIND_NUMBER, params.cycle, false),
	FIELD("collateral", KIND_NUMBER, params.collateral, false),
	FIELD("port_peers", KIND_NUMBER, ports.peers, true),
	FIELD("port_rpcd", KIND_NUMBER, ports.rpcd, true),
	FIELD("port_operations", KIND_NUMBER, ports.operations, true),
	FIELD("port_bus", KIND_NUMBER, ports.bus, true),
	FIELD("bootstrap", KIND_TEXT, bootstrap, true),
};

static const char *const retarget_words[] = {
	[RC_RETARGET_NONE] = "none", [RC_RETARGET_ASERT] = "asert"};

static const struct key *find_key(const char *name)
{
	for (size_t i = 0; i < RC_ARRAY_LEN(keys); i++)
		if (strcmp(keys[i].name, name) == 0)
			return &keys[i];
	return NULL;
}

/* Decimal, or hexadecimal after 0x; at most as much as fits in size bytes. */
static bool parse_number(const char *text, size_t size, uint64_t *ret)
{
	bool hex = text[0] == '0' && text[1] == 'x';
	uint64_t most = size == 8 ? UINT64_MAX : (UINT64_C(1) << 8 * size) - 1;
	char *end;

	if (!isxdigit((unsigned char)text[hex ? 2 : 0]))
		return false;
	errno = 0;
	*ret = strtoull(text, &end, hex ? 16 : 10);
	return errno == 0 && *end == '\0' && *ret <= most;
}

static void store_number(uint8_t *at, size_t size, uint64_t v)
{
	uint16_t v16 = (uint16_t)v;
	uint32_t v32 = (uint32_t)v;

	if (size == 1)
		*at = (uint8_t)v;
	else
		memcpy(at, size == 2 ? (void *)&v16 : size == 4 ? (void *)&v32 : (void *)&v, size);
}

static uint64_t load_number(const uint8_t *at, size_t size)
{
	uint16_t v16;
	uint32_t v32;
	uint64_t v64;

	switch (size) {
	case 1:
		return *at;
	case 2:
		memcpy(&v16, at, 2);
		return v16;
	case 4:
		memcpy(&v32, at, 4);
		return v32;
	default:
		memcpy(&v64, at, 8);
		return v64;
	}
}

static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Printable ASCII as it is, any byte as \xNN, a backslash as \\. */
static bool parse_genesis_text(const char *text, struct rc_network_params *p)
{
	uint8_t bytes[RC_NETWORK_TEXT_MAX];
	size_t n = 0;

	for (; *text; text++) {
		int c = (unsigned char)*text;

		if (c == '\\' && text[1] == 'x' && digit_value(text[2]) >= 0 &&
		    digit_value(text[3]) >= 0) {
			c = digit_value(text[2]) * 16 + digit_value(text[3]);
			text += 3;
		} else if (c == '\\' && text[1] == '\\') {
			text++;
		} else if (c == '\\' || c < 0x20 || c > 0x7e) {
			return false;
		}
		if (n == sizeof(bytes))
			return false;
		bytes[n++] = (uint8_t)c;
	}
	memset(p->genesis_text, 0, sizeof(p->genesis_text));
	memcpy(p->genesis_text, bytes, n);
	p->genesis_text_len = (uint8_t)n;
	return true;
}

static int set_key(struct rc_network *network, const struct key *key, const char *value,
		   struct rc_error *error)
{
	uint8_t *at = (uint8_t *)network + key->at;
	uint64_t number;

	switch (key->kind) {
	case KIND_TEXT:
		if (strlen(value) >= key->size)
			return rc_error_set(error, RC_ECONFIG, "%s: longer than %zu bytes",
					    key->name, key->size - 1);
		memset(at, 0, key->size);
		memcpy(at, value, strlen(value));
		return 0;
	case KIND_GENESIS:
		if (!parse_genesis_text(value, &network->params))
			return rc_error_set(error, RC_ECONFIG,
					    "%s: at most 64 printable ASCII characters, others as "
					    "\\xNN, a backslash as \\\\",
					    key->name);
		return 0;
	case KIND_RETARGET:
		for (size_t i = 0; i < RC_ARRAY_LEN(retarget_words); i++)
			if (strcmp(value, retarget_words[i]) == 0) {
				*at = (uint8_t)i;
				return 0;
			}
		return rc_error_set(error, RC_ECONFIG, "%s: '%s' is neither 'asert' nor 'none'",
				    key->name, value);
	case KIND_NUMBER:
	case KIND_BITS:
		break;
	}
	if (!parse_number(value, key->size, &number))
		return rc_error_set(error, RC_ECONFIG, "%s: '%s' is no number of %zu bytes",
				    key->name, value, key->size);
	store_number(at, key->size, number);
	return 0;
}

int rc_network_set(struct rc_network *network, const char *key, const char *value,
		   struct rc_error *error)
{
	const struct key *k = find_key(key);

	if (!k)
		return rc_error_set(error, RC_ECONFIG, "'%s' is no key of network(5)", key);
	return set_key(network, k, value, error);
}

/* Without the spaces at both ends; cuts text in place. */
static char *trim(char *text)
{
	size_t len;

	text += strspn(text, " \t\r");
	len = strlen(text);
	while (len > 0 && strchr(" \t\r", text[len - 1]))
		len--;
	text[len] = '\0';
	return text;
}

struct parser {
	struct rc_network network;
	bool in_section;
	bool seen[RC_ARRAY_LEN(keys)];
};

static int parse_line(struct parser *p, char *line, struct rc_error *error)
{
	const struct key *key;
	char *name = trim(line), *value;

	if (*name == '\0' || *name == '#' || *name == ';')
		return 0;
	if (*name == '[') {
		if (strcmp(name, "[network]") != 0 || p->in_section)
			return rc_error_set(error, RC_ECONFIG,
					    "'%s': the only section is [network], once", name);
		p->in_section = true;
		return 0;
	}
	value = strchr(name, '=');
	if (!value || !p->in_section)
		return rc_error_set(error, RC_ECONFIG, "'%s' is not 'key = value' in [network]",
				    name);
	*value++ = '\0';
	name = trim(name);
	key = find_key(name);
	if (!key)
		return rc_error_set(error, RC_ECONFIG, "'%s' is no key of network(5)", name);
	if (p->seen[key - keys])
		return rc_error_set(error, RC_ECONFIG, "%s: set twice", name);
	p->seen[key - keys] = true;
	return set_key(&p->network, key, trim(value), error);
}

/* All keys there; then bounds, and everything that follows from the table. */
static int finish(const struct parser *p, struct rc_network *ret_network, struct rc_error *error)
{
	const struct rc_ports *set = &p->network.ports;
	struct rc_network network;
	int err;

	for (size_t i = 0; i < RC_ARRAY_LEN(keys); i++)
		if (!p->seen[i] && !keys[i].optional)
			return rc_error_set(error, RC_ECONFIG, "%s: missing", keys[i].name);
	err = rc_network_custom(&p->network.params, &network, error);
	if (err)
		return err;
	/* A port that isn't given is that of custom networks. */
	network.ports.peers = set->peers ? set->peers : network.ports.peers;
	network.ports.rpcd = set->rpcd ? set->rpcd : network.ports.rpcd;
	network.ports.operations = set->operations ? set->operations : network.ports.operations;
	network.ports.bus = set->bus ? set->bus : network.ports.bus;
	memcpy(network.bootstrap, p->network.bootstrap, sizeof(network.bootstrap));
	*ret_network = network;
	return 0;
}

int rc_network_parse_ini(const char *text, size_t len, struct rc_network *ret_network,
			 struct rc_error *error)
{
	struct parser p = {.in_section = false};
	RC_AUTOFREE char *copy = NULL;
	unsigned number = 0;
	char *next;

	if (len > RC_NETWORK_FILE_MAX)
		return rc_error_set(error, RC_ECONFIG, "larger than %d bytes", RC_NETWORK_FILE_MAX);
	if (memchr(text, '\0', len))
		return rc_error_set(error, RC_ECONFIG, "has a zero byte: not a text");
	copy = rc_alloc(len + 1);
	memcpy(copy, text, len);
	for (char *line = copy; line; line = next) {
		int err;

		number++;
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		err = parse_line(&p, line, error);
		if (err)
			return rc_error_prefix(error, "line %u", number);
	}
	return finish(&p, ret_network, error);
}

static void write_genesis_text(const struct rc_network_params *p, struct rc_buf *buf)
{
	for (size_t i = 0; i < p->genesis_text_len; i++) {
		uint8_t c = p->genesis_text[i];
		bool edge = i == 0 || i + 1 == p->genesis_text_len;

		if (c == '\\')
			rc_buf_printf(buf, "\\\\");
		else if (c < 0x20 || c > 0x7e || (edge && c == ' '))
			rc_buf_printf(buf, "\\x%02x", c);
		else
			rc_buf_put_u8(buf, c);
	}
}

void rc_network_write_ini(const struct rc_network *network, struct rc_buf *buf)
{
	rc_buf_printf(buf, "# A Rusty Coin network, see network(5). Every node of it needs these "
			   "very values.\n[network]\n");
	for (size_t i = 0; i < RC_ARRAY_LEN(keys); i++) {
		const uint8_t *at = (const uint8_t *)network + keys[i].at;

		if (keys[i].optional && *at == 0 && keys[i].kind == KIND_TEXT)
			continue;
		rc_buf_printf(buf, "%s = ", keys[i].name);
		switch (keys[i].kind) {
		case KIND_TEXT:
			rc_buf_printf(buf, "%s", (const char *)at);
			break;
		case KIND_GENESIS:
			write_genesis_text(&network->params, buf);
			break;
		case KIND_NUMBER:
			rc_buf_printf(buf, "%" PRIu64, load_number(at, keys[i].size));
			break;
		case KIND_BITS:
			rc_buf_printf(buf, "0x%08" PRIx64, load_number(at, keys[i].size));
			break;
		case KIND_RETARGET:
			rc_buf_printf(buf, "%s", retarget_words[*at]);
			break;
		}
		rc_buf_put_u8(buf, '\n');
	}
}

int rc_network_load(const char *name_or_path, struct rc_network *ret_network,
		    struct rc_error *error)
{
	struct rc_buf text = RC_BUF_INIT;
	int err;

	if (rc_network_builtin(name_or_path, ret_network))
		return 0;
	err = rc_file_read(name_or_path, RC_NETWORK_FILE_MAX, &text, error);
	if (!err) {
		err = rc_network_parse_ini((const char *)text.data, text.len, ret_network, error);
		if (err)
			rc_error_prefix(error, "network file %s", name_or_path);
	}
	rc_buf_done(&text);
	return err;
}
