/*
 * rusty-wallet: keys stay with their owner, in one sealed file; everything else is asked of a node
 * by JSON-RPC. It owns that file and nothing else; it never sends a key, a word or a passphrase
 * anywhere.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "crypto/schnorr.h"
#include "tools/rusty-wallet/options.h"
#include "tools/rusty-wallet/secret.h"

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
	case WALLET_EUNSETTLED:
		return RC_EXIT_UNSETTLED;
	case RC_EIO:
	case RC_ENOSPC:
	case RC_ESYNC:
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

static int run(struct wallet_call *call)
{
	struct wallet_options *o = &call->options;
	RC_AUTOFREE char *path = NULL;
	struct rc_error error = {0};
	json_t *result = NULL;
	int err = RC_OK;

	if (!o->wallet) {
		o->wallet = path = default_path(o->network ? o->network : o->new_network, &error);
		err = path ? RC_OK : error.code;
	}
	if (err == RC_OK)
		err = call->command->run(o, call->args, call->n_args, &result, &error);
	if (err == RC_OK && result)
		err = command_print(o, result, &error);
	if (err < 0)
		fprintf(stderr, "rusty-wallet: %s\n", error.text);
	json_decref(result);
	return exit_code(err);
}

int main(int argc, char **argv)
{
	struct wallet_call call;
	int code;

	secret_protect_process();
	rc_log_init("rusty-wallet", RC_LOG_WARNING);
	code = wallet_call_parse(argc, argv, &call);
	if (code || !call.command)
		return code;
	rc_schnorr_init();
	return run(&call);
}
