/*
 * rusty-wallet: keys stay with their owner, in one sealed file; everything else is asked of a node
 * by JSON-RPC. It owns that file and nothing else; it never sends a key, a word or a passphrase
 * anywhere.
 */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "crypto/schnorr.h"
#include "tools/rusty-wallet/commands.h"
#include "tools/rusty-wallet/secret.h"

enum wallet_option {
	OPT_WALLET,
	OPT_NETWORK,
	OPT_JSON,
	OPT_PASSPHRASE_FD,
	OPT_RPC,
	OPT_COOKIE,
	OPT_DATADIR,
	OPT_RUNDIR,
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
	[OPT_RPC] = {"rpc", "URL", "the node: http://HOST:PORT, unix:/PATH; default: found"},
	[OPT_COOKIE] = {"cookie", "FILE", "its user:password"},
	[OPT_DATADIR] = {"datadir", "DIR", "a node of one directory: its run directory is DIR/run"},
	[OPT_RUNDIR] = {"rundir", "DIR", "the node's run directory; default /run/rustycoin"},
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
	[OPT_SUBTRACT_FEE] = {"subtract-fee", NULL, "the receiver pays the fee"},
	[OPT_DRY_RUN] = {"dry-run", NULL, "sign and print, send nothing, save nothing"},
	[OPT_HELP] = {"help", NULL, "print this"},
	[OPT_VERSION] = {"version", NULL, "print the version"},
};

#define BIT(o)	 (1u << OPT_##o)
#define COMMON	 (BIT(WALLET) | BIT(NETWORK) | BIT(JSON) | BIT(PASSPHRASE_FD))
#define WITHNODE (BIT(RPC) | BIT(COOKIE) | BIT(DATADIR) | BIT(RUNDIR) | BIT(GAP))

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
	 COMMON | WITHNODE | BIT(FEE_RATE) | BIT(FEE) | BIT(MAX_FEE) | BIT(COIN) |
		 BIT(SUBTRACT_FEE) | BIT(DRY_RUN),
	 cmd_send},
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

/* ---- printing ---- */

static void print_scalar(const json_t *value)
{
	if (json_is_string(value))
		printf("%s", json_string_value(value));
	else if (json_is_integer(value))
		printf("%lld", (long long)json_integer_value(value));
	else
		printf("%s", json_is_true(value) ? "yes" : "no");
}

/* A list of objects as a line each; the members in the order they were made. */
static void print_rows(json_t *rows)
{
	const char *key;
	json_t *row, *value;
	size_t i;

	json_array_foreach(rows, i, row)
	{
		const char *gap = "";

		json_object_foreach(row, key, value)
		{
			printf("%s%s ", gap, key);
			print_scalar(value);
			gap = "  ";
		}
		printf("\n");
	}
}

static void print_result(json_t *result, bool as_json)
{
	const char *key;
	json_t *value;

	if (as_json) {
		json_dumpf(result, stdout, JSON_INDENT(2));
		printf("\n");
	} else if (json_is_array(result)) {
		print_rows(result);
	} else {
		json_object_foreach(result, key, value)
		{
			if (json_object_size(result) > 1)
				printf("%s: ", key);
			print_scalar(value);
			printf("\n");
		}
	}
}

static int exit_code(int err)
{
	switch (err) {
	case RC_OK:
		return RC_EXIT_OK;
	case RC_EINVAL:
		return RC_EXIT_USAGE;
	case RC_EUNAVAILABLE:
	case RC_EDEADLINE:
		return RC_EXIT_UNAVAILABLE;
	case RC_ELOCKED:
	case RC_EBUSY:
		return RC_EXIT_TEMPFAIL;
	case RC_EDENIED:
	case RC_EACCES:
		return RC_EXIT_NOPERM;
	case RC_EIO:
	case RC_ENOSPC:
		return RC_EXIT_IO;
	default:
		return RC_EXIT_FAILURE;
	}
}

/* $HOME/.rustycoin/NETWORK.wallet; the directory is made. */
static char *default_path(const char *network, struct rc_error *error)
{
	const char *home = getenv("HOME"), *name = network ? strrchr(network, '/') : NULL;
	RC_AUTOFREE char *dir = NULL;

	if (!home || *home != '/') {
		rc_error_set(error, RC_EINVAL, "no HOME: name the wallet by --wallet FILE");
		return NULL;
	}
	dir = rc_asprintf("%s/.rustycoin", home);
	if (rc_dir_make(dir, 0700, error) < 0)
		return NULL;
	name = name ? name + 1 : network ? network : "main";
	return rc_asprintf("%s/%s.wallet", dir, name);
}

static int run(const struct wallet_command *command, struct wallet_options *o, char **args, int n,
	       bool as_json)
{
	RC_AUTOFREE char *path = NULL;
	struct rc_error error = {0};
	json_t *result = NULL;
	int err = RC_OK;

	if (!o->wallet) {
		o->wallet = path = default_path(o->network, &error);
		err = path ? RC_OK : error.code;
	}
	if (err == RC_OK)
		err = command->run(o, args, n, &result, &error);
	if (err < 0)
		fprintf(stderr, "rusty-wallet: %s\n", error.text);
	else
		print_result(result, as_json);
	json_decref(result);
	if (fflush(stdout) != 0 && err == RC_OK)
		err = RC_EIO;
	return exit_code(err);
}

static const struct wallet_command *find_command(const char *name)
{
	for (size_t i = 0; i < RC_ARRAY_LEN(commands); i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

int main(int argc, char **argv)
{
	struct wallet_options o = {.passphrase_fd = -1,
				   .new_passphrase_fd = -1,
				   .words_fd = -1,
				   .words = 24,
				   .gap = WALLET_GAP,
				   .max_fee = RC_OXIDES_PER_RUST / 10};
	struct option longs[OPTIONS + 1] = {0};
	const struct wallet_command *command;
	unsigned given = 0;
	int c, n;

	secret_protect_process();
	rc_log_init("rusty-wallet", RC_LOG_WARNING);
	for (int i = 0; i < OPTIONS; i++)
		longs[i] = (struct option){options[i].name,
					   options[i].value ? required_argument : no_argument, NULL,
					   256 + i};
	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (c < 256)
			return RC_EXIT_USAGE; /* getopt said what is wrong */
		given |= 1u << (c - 256);
		if (!take_option(&o, (enum wallet_option)(c - 256), optarg))
			return usage_error("--%s: not a value it can have", options[c - 256].name);
	}
	if (given & BIT(HELP)) {
		print_usage(stdout);
		return RC_EXIT_OK;
	}
	if (given & BIT(VERSION)) {
		printf("rusty-wallet %s\n", RC_VERSION);
		return RC_EXIT_OK;
	}
	if (optind == argc)
		return usage_error("which command?");
	command = find_command(argv[optind]);
	if (!command)
		return usage_error("no command '%s'", argv[optind]);
	for (int i = 0; i < OPTIONS; i++)
		if (given & ~command->options & 1u << i)
			return usage_error("this command has no option --%s", options[i].name);
	n = argc - optind - 1;
	if (n < command->min_args || n > command->max_args)
		return usage_error("arguments: %s", command->arguments);
	rc_schnorr_init();
	return run(command, &o, argv + optind + 1, n, given & BIT(JSON));
}
