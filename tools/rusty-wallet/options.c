/* See options.h. */
#include "tools/rusty-wallet/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum wallet_option {
	OPT_WALLET,
	OPT_NETWORK,
	OPT_JSON,
	OPT_PASSPHRASE_FD,
	OPT_RPC,
	OPT_COOKIE,
	OPT_DATADIR,
	OPT_RUNDIR,
	OPT_TIMEOUT,
	OPT_NEW_PASSPHRASE_FD,
	OPT_WORDS_FD,
	OPT_WORDS,
	OPT_GAP,
	OPT_OFFLINE,
	OPT_CHANGE,
	OPT_FEE_RATE,
	OPT_FEE,
	OPT_MAX_FEE,
	OPT_COIN,
	OPT_ID,
	OPT_SUBTRACT_FEE,
	OPT_DRY_RUN,
	OPT_HELP,
	OPT_VERSION,
	OPTIONS
};

static const struct {
	const char *name, *value, *text;
} options[OPTIONS] = {
	[OPT_WALLET] = {"wallet", "FILE", "the wallet; default $HOME/.rustycoin/NETWORK.wallet"},
	[OPT_NETWORK] = {"network", "NAME|FILE",
			 "main (default of create), test, reg, or a parameter file"},
	[OPT_JSON] = {"json", NULL, "print JSON"},
	[OPT_PASSPHRASE_FD] = {"passphrase-fd", "N",
			       "read the passphrase's line from descriptor N"},
	[OPT_RPC] = {"rpc-url", "URL", "the node: http://HOST:PORT, unix:/PATH; default: found"},
	[OPT_COOKIE] = {"cookie", "FILE", "its user:password"},
	[OPT_DATADIR] = {"datadir", "DIR", "a node of one directory: its run directory is DIR/run"},
	[OPT_RUNDIR] = {"rundir", "DIR", "the node's run directory; default /run/rustycoin"},
	[OPT_TIMEOUT] = {"timeout", "SECONDS", "for an answer of the node; default 60"},
	[OPT_NEW_PASSPHRASE_FD] = {"new-passphrase-fd", "N",
				   "read the new passphrase's line from descriptor N"},
	[OPT_WORDS_FD] = {"words-fd", "N",
			  "write the words to (create), read them from (restore) descriptor N"},
	[OPT_WORDS] = {"words", "12|24", "how many words; default 24"},
	[OPT_GAP] = {"gap", "N", "unused addresses in a row that are looked at; default 20"},
	[OPT_OFFLINE] = {"offline", NULL, "look for no coins"},
	[OPT_CHANGE] = {"change", NULL, "change addresses (too)"},
	[OPT_FEE_RATE] = {"fee-rate", "N", "oxides a byte; default 1"},
	[OPT_FEE] = {"fee", "RUST", "the whole fee"},
	[OPT_MAX_FEE] = {"max-fee", "RUST", "refuse a higher fee; default 0.1"},
	[OPT_COIN] = {"coin", "TXID:N", "spend this coin, and only those named so"},
	[OPT_ID] = {"id", "TEXT", "what this payment is called: two of different ids are two"},
	[OPT_SUBTRACT_FEE] = {"subtract-fee", NULL, "the receiver pays the fee"},
	[OPT_DRY_RUN] = {"dry-run", NULL, "sign and print, send nothing, save nothing"},
	[OPT_HELP] = {"help", NULL, "print this"},
	[OPT_VERSION] = {"version", NULL, "print the version"},
};

#define BIT(o)	 (1u << OPT_##o)
#define COMMON	 (BIT(WALLET) | BIT(NETWORK) | BIT(JSON) | BIT(PASSPHRASE_FD))
#define WITHNODE (BIT(RPC) | BIT(COOKIE) | BIT(DATADIR) | BIT(RUNDIR) | BIT(TIMEOUT) | BIT(GAP))

static const struct wallet_command commands[] = {
	{"create", "", "make a wallet and print its words, once", 0, 0,
	 COMMON | BIT(WORDS) | BIT(WORDS_FD), cmd_create},
	{"restore", "", "make the wallet of words written down", 0, 0,
	 COMMON | WITHNODE | BIT(WORDS_FD) | BIT(OFFLINE), cmd_restore},
	{"address", "[new|list]", "give out a new address; list those given out", 0, 1,
	 COMMON | BIT(CHANGE), cmd_address},
	{"balance", "", "what the wallet has", 0, 0, COMMON | WITHNODE, cmd_balance},
	{"listunspent", "", "its coins", 0, 0, COMMON | WITHNODE, cmd_listunspent},
	{"send", "ADDRESS AMOUNT|all", "pay", 2, 2,
	 COMMON | WITHNODE | BIT(FEE_RATE) | BIT(FEE) | BIT(MAX_FEE) | BIT(COIN) | BIT(ID) |
		 BIT(SUBTRACT_FEE) | BIT(DRY_RUN),
	 cmd_send},
	{"pending", "[show|resend|drop]", "the payment of which it isn't known whether it is made",
	 0, 1, COMMON | WITHNODE, cmd_pending},
	{"info", "", "the wallet's network, path of keys, next addresses", 0, 0, COMMON, cmd_info},
	{"passphrase", "change", "seal the file by another passphrase", 1, 1,
	 COMMON | BIT(NEW_PASSPHRASE_FD), cmd_passphrase},
};

static void print_usage(FILE *out)
{
	fprintf(out, "usage: rusty-wallet COMMAND [OPTIONS]\n\n");
	for (size_t i = 0; i < RC_ARRAY_LEN(commands); i++)
		fprintf(out, "  %-11s %-18s  %s\n", commands[i].name, commands[i].arguments,
			commands[i].text);
	fprintf(out, "\noptions:\n");
	for (size_t i = 0; i < OPTIONS; i++)
		fprintf(out, "  --%-17s %-9s  %s\n", options[i].name,
			options[i].value ? options[i].value : "", options[i].text);
}

static int usage_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static int usage_error(const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "rusty-wallet: ");
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, " (rusty-wallet --help)\n");
	return RC_EXIT_USAGE;
}

/* A decimal number from least to most and nothing else. */
static bool parse_number(const char *text, uint64_t least, uint64_t most, uint64_t *ret)
{
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*ret = strtoull(text, &end, 10);
	return !*end && !errno && *ret >= least && *ret <= most;
}

static bool parse_fd(const char *text, int *ret)
{
	uint64_t v;

	if (!parse_number(text, 0, 1023, &v))
		return false;
	*ret = (int)v;
	return true;
}

/* Stores one option; false if its value is none. */
static bool take_option(struct wallet_options *o, enum wallet_option which, const char *value)
{
	uint64_t v = 0;
	bool ok = true;

	switch (which) {
	case OPT_WALLET:
		o->wallet = value;
		break;
	case OPT_NETWORK:
		o->network = value;
		break;
	case OPT_PASSPHRASE_FD:
		return parse_fd(value, &o->passphrase_fd);
	case OPT_NEW_PASSPHRASE_FD:
		return parse_fd(value, &o->new_passphrase_fd);
	case OPT_WORDS_FD:
		return parse_fd(value, &o->words_fd);
	case OPT_RPC:
		o->node.url = value;
		break;
	case OPT_COOKIE:
		o->node.cookie = value;
		break;
	case OPT_DATADIR:
		o->node.datadir = value;
		break;
	case OPT_RUNDIR:
		o->node.rundir = value;
		break;
	case OPT_TIMEOUT:
		ok = parse_number(value, 1, 86400, &v);
		o->node.timeout_ms = (uint32_t)v * 1000;
		break;
	case OPT_WORDS:
		ok = parse_number(value, 12, 24, &v) && v % 12 == 0;
		o->words = (unsigned)v;
		break;
	case OPT_GAP:
		ok = parse_number(value, 1, WALLET_GAP_MAX, &v);
		o->gap = (unsigned)v;
		break;
	case OPT_OFFLINE:
		o->offline = true;
		break;
	case OPT_CHANGE:
		o->change = true;
		break;
	case OPT_FEE_RATE:
		o->has_fee_rate = true;
		return parse_number(value, 0, WALLET_FEE_RATE_MAX, &o->fee_rate);
	case OPT_FEE:
		o->has_fee = true;
		return rc_amount_parse(value, &o->fee);
	case OPT_MAX_FEE:
		return rc_amount_parse(value, &o->max_fee);
	case OPT_COIN:
		ok = o->n_coins < COINS_NAMED_MAX;
		if (ok)
			o->coins[o->n_coins++] = value;
		break;
	case OPT_ID:
		o->id = value;
		break;
	case OPT_SUBTRACT_FEE:
		o->subtract_fee = true;
		break;
	case OPT_DRY_RUN:
		o->dry_run = true;
		break;
	case OPT_JSON:
	case OPT_HELP:
	case OPT_VERSION:
	case OPTIONS:
		break;
	}
	return ok;
}

static const struct wallet_command *find_command(const char *name)
{
	for (size_t i = 0; i < RC_ARRAY_LEN(commands); i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

/* getopt's part: options anywhere on the line; *ret_given has a bit for each. */
static int parse_options(int argc, char **argv, struct wallet_options *o, unsigned *ret_given)
{
	struct option longs[OPTIONS + 1] = {0};
	int c;

	for (int i = 0; i < OPTIONS; i++)
		longs[i] = (struct option){options[i].name,
					   options[i].value ? required_argument : no_argument, NULL,
					   256 + i};
	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (c < 256)
			return RC_EXIT_USAGE; /* getopt said what is wrong */
		*ret_given |= 1u << (c - 256);
		if (!take_option(o, (enum wallet_option)(c - 256), optarg))
			return usage_error("--%s: not a value it can have", options[c - 256].name);
	}
	return 0;
}

int wallet_call_parse(int argc, char **argv, struct wallet_call *ret_call)
{
	struct wallet_call call = {.options = {.passphrase_fd = -1,
					       .new_passphrase_fd = -1,
					       .words_fd = -1,
					       .new_network = getenv("RUSTYCOIN_NETWORK"),
					       .words = 24,
					       .gap = WALLET_GAP,
					       .max_fee = RC_OXIDES_PER_RUST / 10}};
	unsigned given = 0;
	int code = parse_options(argc, argv, &call.options, &given);

	if (code)
		return code;
	if (given & (BIT(HELP) | BIT(VERSION))) {
		if (given & BIT(HELP))
			print_usage(stdout);
		else
			printf("rusty-wallet %s\n", RC_VERSION);
		*ret_call = call;
		return 0;
	}
	if (optind == argc)
		return usage_error("which command?");
	call.command = find_command(argv[optind]);
	if (!call.command)
		return usage_error("no command '%s'", argv[optind]);
	for (int i = 0; i < OPTIONS; i++)
		if (given & ~call.command->options & 1u << i)
			return usage_error("this command has no option --%s", options[i].name);
	call.args = argv + optind + 1;
	call.n_args = argc - optind - 1;
	if (call.n_args < call.command->min_args || call.n_args > call.command->max_args)
		return usage_error("arguments: %s", call.command->arguments);
	call.options.json = given & BIT(JSON);
	*ret_call = call;
	return 0;
}
