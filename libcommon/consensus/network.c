/* The networks: their tables, the genesis block, and the bounds of a custom one. */
#include "consensus/network.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "base/reader.h"
#include "consensus/merkle.h"
#include "consensus/pow.h"
#include "consensus/state_hash.h"
#include "types/block.h"

#define YEAR 31536000u
/* The easiest target any network may have: half of all hashes meet it. */
#define EASIEST_BITS 0x207fffffu

static const struct builtin {
	struct rc_network_params params;
	struct rc_ports ports;
} builtins[] = {
	{{.name = "main",
	  .hrp = "rc",
	  .genesis_time = 1798761600, /* 2027-01-01T00:00:00Z */
	  .genesis_bits = 0x1e00ffff,
	  .genesis_text_len = 15,
	  .genesis_text = "Rusty Coin main",
	  .spacing = 150,
	  .retarget = RC_RETARGET_ASERT,
	  .limit_bits = 0x1e00ffff,
	  .half_life = 43200,
	  .future_limit = 900,
	  .subsidy = 50 * RC_OXIDES_PER_RUST,
	  .halving = 840000,
	  .masternode_share = 40,
	  .treasury_share = 10,
	  .maturity = 100,
	  .block_limit = 2000000,
	  .cycle = 16616,
	  .collateral = 10000 * RC_OXIDES_PER_RUST},
	 {7440, 7441, 7442, 7450}},
	{{.name = "test",
	  .hrp = "trc",
	  .genesis_time = 1798761600,
	  .genesis_bits = 0x1e00ffff,
	  .genesis_text_len = 15,
	  .genesis_text = "Rusty Coin test",
	  .spacing = 150,
	  .retarget = RC_RETARGET_ASERT,
	  .limit_bits = 0x1e00ffff,
	  .half_life = 43200,
	  .future_limit = 900,
	  .subsidy = 50 * RC_OXIDES_PER_RUST,
	  .halving = 840000,
	  .masternode_share = 40,
	  .treasury_share = 10,
	  .maturity = 100,
	  .block_limit = 2000000,
	  .cycle = 16616,
	  .collateral = 10000 * RC_OXIDES_PER_RUST},
	 {27440, 27441, 27442, 27450}},
	{{.name = "reg",
	  .hrp = "rcrt",
	  .genesis_time = 1767225600, /* 2026-01-01T00:00:00Z */
	  .genesis_bits = 0x207fffff,
	  .genesis_text_len = 14,
	  .genesis_text = "Rusty Coin reg",
	  .spacing = 0,
	  .retarget = RC_RETARGET_NONE,
	  .limit_bits = 0x207fffff,
	  .half_life = 43200,
	  .future_limit = 7200,
	  .subsidy = 50 * RC_OXIDES_PER_RUST,
	  .halving = 1000,
	  .masternode_share = 40,
	  .treasury_share = 10,
	  .maturity = 10,
	  .block_limit = 2000000,
	  .cycle = 50,
	  .collateral = 100 * RC_OXIDES_PER_RUST},
	 {17440, 17441, 17442, 17450}},
};

static const struct rc_ports custom_ports = {37440, 37441, 37442, 37450};

static const struct builtin *find_builtin(const char *name)
{
	for (size_t i = 0; i < RC_ARRAY_LEN(builtins); i++)
		if (strcmp(builtins[i].params.name, name) == 0)
			return &builtins[i];
	return NULL;
}

const struct rc_network_params *rc_network_builtin_params(const char *name)
{
	const struct builtin *b = find_builtin(name);

	return b ? &b->params : NULL;
}

static void put_short(struct rc_buf *buf, const void *data, size_t len)
{
	rc_buf_put_u8(buf, (uint8_t)len);
	rc_buf_put(buf, data, len);
}

void rc_network_table_encode(const struct rc_network_params *p, struct rc_buf *buf)
{
	rc_buf_put_le16(buf, RC_NETWORK_TABLE_VERSION);
	put_short(buf, p->name, strlen(p->name));
	put_short(buf, p->hrp, strlen(p->hrp));
	rc_buf_put_le32(buf, p->genesis_time);
	rc_buf_put_le32(buf, p->genesis_bits);
	put_short(buf, p->genesis_text, p->genesis_text_len);
	rc_buf_put_le32(buf, p->spacing);
	rc_buf_put_u8(buf, p->retarget);
	rc_buf_put_le32(buf, p->limit_bits);
	rc_buf_put_le32(buf, p->half_life);
	rc_buf_put_le32(buf, p->future_limit);
	rc_buf_put_le64(buf, p->subsidy);
	rc_buf_put_le32(buf, p->halving);
	rc_buf_put_u8(buf, p->masternode_share);
	rc_buf_put_u8(buf, p->treasury_share);
	rc_buf_put_le32(buf, p->maturity);
	rc_buf_put_le32(buf, p->block_limit);
	rc_buf_put_le32(buf, p->cycle);
	rc_buf_put_le64(buf, p->collateral);
}

/* A length and at most max bytes into dst, which has room for one more (left zero). */
static uint8_t read_short(struct rc_reader *r, void *dst, size_t max)
{
	uint8_t len = rc_read_u8(r);

	if (len > max)
		r->failed = true;
	else
		rc_read_into(r, dst, len);
	return len;
}

bool rc_network_table_decode(const void *table, size_t len, struct rc_network_params *ret_params)
{
	struct rc_reader r = rc_reader_of(table, len);
	struct rc_network_params p;

	memset(&p, 0, sizeof(p));
	if (rc_read_le16(&r) != RC_NETWORK_TABLE_VERSION)
		return false;
	/* A zero byte inside would end the text early and encode to something else. */
	if (read_short(&r, p.name, RC_NETWORK_NAME_MAX) != strlen(p.name) ||
	    read_short(&r, p.hrp, RC_NETWORK_HRP_MAX) != strlen(p.hrp))
		return false;
	p.genesis_time = rc_read_le32(&r);
	p.genesis_bits = rc_read_le32(&r);
	p.genesis_text_len = read_short(&r, p.genesis_text, RC_NETWORK_TEXT_MAX);
	p.spacing = rc_read_le32(&r);
	p.retarget = rc_read_u8(&r);
	p.limit_bits = rc_read_le32(&r);
	p.half_life = rc_read_le32(&r);
	p.future_limit = rc_read_le32(&r);
	p.subsidy = rc_read_le64(&r);
	p.halving = rc_read_le32(&r);
	p.masternode_share = rc_read_u8(&r);
	p.treasury_share = rc_read_u8(&r);
	p.maturity = rc_read_le32(&r);
	p.block_limit = rc_read_le32(&r);
	p.cycle = rc_read_le32(&r);
	p.collateral = rc_read_le64(&r);
	if (!rc_reader_end(&r))
		return false;
	*ret_params = p;
	return true;
}

/* The one transaction: no inputs, an empty DATA output, the text in its payload. */
static void put_genesis_tx(const struct rc_network_params *p, struct rc_buf *buf)
{
	rc_buf_put_le16(buf, RC_TX_VERSION);
	rc_buf_put_le16(buf, RC_TX_COINBASE);
	rc_buf_put_cs(buf, 0);
	rc_buf_put_cs(buf, 1);
	rc_buf_put_le64(buf, 0);
	rc_lock_data_put(buf, NULL, 0);
	rc_buf_put_le32(buf, 0);
	rc_buf_put_cs(buf, 4u + 1 + 1 + p->genesis_text_len);
	rc_buf_put_le32(buf, 0); /* height */
	rc_buf_put_u8(buf, 0);	 /* no finality lock */
	put_short(buf, p->genesis_text, p->genesis_text_len);
}

void rc_genesis_encode(const struct rc_network_params *params, struct rc_buf *buf)
{
	static const struct rc_hash empty[RC_STATE_NAMESPACES];
	struct rc_header header = {.version = RC_HEADER_VERSION,
				   .time = params->genesis_time,
				   .bits = params->genesis_bits};
	struct rc_arena arena = RC_ARENA_INIT;
	struct rc_buf raw = RC_BUF_INIT;
	struct rc_tx tx;
	bool good;

	put_genesis_tx(params, &raw);
	good = rc_tx_decode(raw.data, raw.len, &arena, &tx);
	assert(good);
	rc_tx_root(&tx.wtxid, sizeof(tx.wtxid), 1, &arena, &header.tx_root);
	rc_state_root(empty, &header.state_root);
	rc_block_put_head(buf, &header, 1);
	rc_buf_put(buf, raw.data, raw.len);
	rc_buf_done(&raw);
	rc_arena_done(&arena);
}

/* Everything that follows from the parameters, whose bounds hold. */
static void derive(const struct rc_network_params *params, const struct rc_ports *ports,
		   struct rc_network *n)
{
	struct rc_buf buf = RC_BUF_INIT;
	bool canonical;

	memset(n, 0, sizeof(*n));
	n->params = *params;
	n->ports = *ports;
	canonical = rc_bits_target(params->limit_bits, &n->limit) &&
		    rc_bits_target(params->genesis_bits, &n->genesis_target);
	assert(canonical);

	rc_genesis_encode(params, &buf);
	n->genesis_len = buf.len;
	assert(n->genesis_len <= sizeof(n->genesis_block));
	memcpy(n->genesis_block, buf.data, buf.len);
	rc_header_decode(n->genesis_block, &n->genesis_header);
	rc_header_id(n->genesis_block, &n->genesis_id);

	rc_buf_clear(&buf);
	rc_network_table_encode(params, &buf);
	n->table_len = buf.len;
	assert(n->table_len <= sizeof(n->table));
	memcpy(n->table, buf.data, buf.len);
	rc_buf_put(&buf, n->genesis_id.b, 32);
	rc_tagged_hash(RC_TAG_NETWORK, buf.data, buf.len, n->id.b);
	rc_buf_done(&buf);
}

bool rc_network_builtin(const char *name, struct rc_network *ret_network)
{
	const struct builtin *b = find_builtin(name);

	if (!b)
		return false;
	derive(&b->params, &b->ports, ret_network);
	return true;
}

/* 1 … max characters, each one of those allowed. */
static bool text_good(const char *text, size_t max, const char *allowed)
{
	size_t len = strnlen(text, max + 1);

	return len >= 1 && len <= max && strspn(text, allowed) == len;
}

#define LETTERS "abcdefghijklmnopqrstuvwxyz"

static int check_text(const struct rc_network_params *p, struct rc_error *error)
{
	if (!text_good(p->name, RC_NETWORK_NAME_MAX, LETTERS "0123456789-"))
		return rc_error_set(error, RC_ERANGE, "name: 1 to 16 of a-z, 0-9 and -");
	if (find_builtin(p->name))
		return rc_error_set(error, RC_ERANGE, "name: '%s' is a built-in network", p->name);
	if (!text_good(p->hrp, RC_NETWORK_HRP_MAX, LETTERS))
		return rc_error_set(error, RC_ERANGE, "hrp: 1 to 15 of a-z");
	if (strcmp(p->hrp, "rc") == 0 || strcmp(p->hrp, "trc") == 0)
		return rc_error_set(error, RC_ERANGE, "hrp: '%s' is that of a built-in network",
				    p->hrp);
	if (p->genesis_text_len > RC_NETWORK_TEXT_MAX)
		return rc_error_set(error, RC_ERANGE, "genesis_text: at most 64 bytes");
	return 0;
}

static int check_bits(const struct rc_network_params *p, struct rc_error *error)
{
	struct rc_u256 easiest, limit, genesis;
	bool canonical = rc_bits_target(EASIEST_BITS, &easiest);

	assert(canonical);
	if (!rc_bits_target(p->limit_bits, &limit) || rc_u256_cmp(&limit, &easiest) > 0)
		return rc_error_set(error, RC_ERANGE,
				    "limit_bits: 0x%08" PRIx32
				    " is not canonical or over 0x207fffff",
				    p->limit_bits);
	if (!rc_bits_target(p->genesis_bits, &genesis) || rc_u256_cmp(&genesis, &limit) > 0)
		return rc_error_set(error, RC_ERANGE,
				    "genesis_bits: 0x%08" PRIx32
				    " is not canonical or over limit_bits",
				    p->genesis_bits);
	return 0;
}

/* The numbers with simple bounds. */
static int check_ranges(const struct rc_network_params *p, struct rc_error *error)
{
	const bool retargets = p->retarget == RC_RETARGET_ASERT;
	const struct {
		const char *name;
		uint64_t value, least, most;
	} ranges[] = {
		{"genesis_time", p->genesis_time, 1, UINT32_MAX},
		{"retarget", p->retarget, RC_RETARGET_NONE, RC_RETARGET_ASERT},
		{"spacing", p->spacing, retargets ? 1 : 0, retargets ? 3600 : UINT32_MAX},
		{"half_life", p->half_life, 1, YEAR},
		{"future_limit", p->future_limit, 1, 7200},
		{"halving", p->halving, 1, UINT32_MAX},
		{"masternode_share", p->masternode_share, 0, 100},
		{"treasury_share", p->treasury_share, 0, 100},
		{"maturity", p->maturity, 1, 65535},
		{"block_limit", p->block_limit, 10000, RC_BLOCK_SIZE_MAX},
		{"cycle", p->cycle, 1, UINT32_MAX},
		{"collateral", p->collateral, 1, UINT64_MAX},
	};

	for (size_t i = 0; i < RC_ARRAY_LEN(ranges); i++)
		if (ranges[i].value < ranges[i].least || ranges[i].value > ranges[i].most)
			return rc_error_set(
				error, RC_ERANGE,
				"%s: %" PRIu64 " is not between %" PRIu64 " and %" PRIu64,
				ranges[i].name, ranges[i].value, ranges[i].least, ranges[i].most);
	return 0;
}

int rc_network_custom(const struct rc_network_params *params, struct rc_network *ret_network,
		      struct rc_error *error)
{
	int err = check_text(params, error);

	if (!err)
		err = check_bits(params, error);
	if (!err)
		err = check_ranges(params, error);
	if (err)
		return err;
	if ((unsigned __int128)params->subsidy * 2 * params->halving > RC_SUPPLY_LIMIT)
		return rc_error_set(
			error, RC_ERANGE,
			"subsidy: subsidy x 2 x halving passes the supply limit of %" PRIu64
			" oxides",
			RC_SUPPLY_LIMIT);
	if (params->masternode_share + params->treasury_share > 100)
		return rc_error_set(error, RC_ERANGE,
				    "treasury_share: masternode_share and treasury_share are "
				    "together over 100 percent");
	derive(params, &custom_ports, ret_network);
	return 0;
}
