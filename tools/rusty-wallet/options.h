/* The command line of rusty-wallet: one table of options, one of commands; parsing, refusals and
 * --help are made from them. */
#ifndef WALLET_OPTIONS_H
#define WALLET_OPTIONS_H

#include "tools/rusty-wallet/commands.h"

struct wallet_call {
	const struct wallet_command *command; /* NULL: --help or --version, answered already */
	struct wallet_options options;
	char **args;
	int n_args;
};

/* 0, or the exit code after having said what is wrong. */
int wallet_call_parse(int argc, char **argv, struct wallet_call *ret_call);

#endif
