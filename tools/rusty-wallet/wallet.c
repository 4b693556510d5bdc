/* See wallet.h. */
#include "tools/rusty-wallet/wallet.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "service/network_file.h"
#include "tools/rusty-wallet/secret.h"

static bool is_builtin(const uint8_t id[32], struct rc_network *ret_network)
{
	static const char *const names[] = {"main", "test", "reg"};

	for (size_t i = 0; i < RC_ARRAY_LEN(names); i++)
		if (rc_network_builtin(names[i], ret_network) &&
		    memcmp(ret_network->id.b, id, 32) == 0)
			return true;
	return false;
}

int wallet_network(const char *name, const uint8_t *id, struct rc_network *ret_network,
		   struct rc_error *error)
{
	int err;

	if (!name && id) {
		if (is_builtin(id, ret_network))
			return RC_OK;
		return rc_error_set(error, RC_ENETWORK,
				    "the wallet is of a network of its own: name its parameter "
				    "file by --network FILE");
	}
	err = rc_network_load(name ? name : "main", ret_network, error);
	if (err < 0)
		return err;
	if (id && memcmp(ret_network->id.b, id, 32) != 0)
		return rc_error_set(error, RC_ENETWORK, "the wallet is not one of network '%s'",
				    ret_network->params.name);
	return RC_OK;
}

static struct wallet *wallet_new(const char *path, const struct rc_random *random)
{
	struct wallet *wallet = rc_alloc(sizeof(*wallet));

	wallet->path = rc_strdup(path);
	wallet->lock_fd = -1;
	wallet->secrets = secret_alloc(sizeof(*wallet->secrets));
	wallet->random = random;
	return wallet;
}

void wallet_close(struct wallet *wallet)
{
	if (!wallet)
		return;
	secret_free(wallet->secrets, sizeof(*wallet->secrets));
	if (wallet->lock_fd >= 0)
		close(wallet->lock_fd);
	free(wallet->path);
	free(wallet->file);
	free(wallet);
}

/* The file behind the wallet's name, which may be a symbolic link: else the link itself would be
 * replaced, and what it led to be left behind, old. */
static int find_file(struct wallet *wallet, struct rc_error *error)
{
	struct stat st;

	wallet->file = realpath(wallet->path, NULL);
	if (wallet->file)
		return RC_OK;
	if (errno != ENOENT)
		return rc_error_errno(error, "%s", wallet->path);
	if (lstat(wallet->path, &st) == 0)
		return rc_error_set(error, RC_EINVAL, "%s is a symbolic link to nothing",
				    wallet->path);
	wallet->file = rc_strdup(wallet->path); /* a new one */
	return RC_OK;
}

/* A file beside the wallet's, since the wallet's own is replaced when saved; one for all names of
 * the wallet. */
static int lock(struct wallet *wallet, struct rc_error *error)
{
	RC_AUTOFREE char *path = NULL;
	int err = find_file(wallet, error);

	if (err < 0)
		return err;
	path = rc_asprintf("%s.lock", wallet->file);
	wallet->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (wallet->lock_fd < 0)
		return rc_error_errno(error, "%s", path);
	if (flock(wallet->lock_fd, LOCK_EX | LOCK_NB) == 0)
		return RC_OK;
	if (errno == EWOULDBLOCK)
		return rc_error_set(error, RC_ELOCKED, "%s is in use by another rusty-wallet",
				    wallet->path);
	return rc_error_errno(error, "%s", path);
}

static int open_keys(struct wallet *wallet, struct rc_error *error)
{
	bool is_main = strcmp(wallet->network.params.name, "main") == 0;

	if (wallet_keys_open(&wallet->secrets->data,
			     is_main ? WALLET_COIN_TYPE_MAIN : WALLET_COIN_TYPE_OTHER,
			     &wallet->secrets->keys))
		return RC_OK;
	return rc_error_set(error, RC_ECRYPTO, "these words give no keys: make others");
}

int wallet_save(struct wallet *wallet, struct rc_error *error)
{
	struct rc_buf file = RC_BUF_INIT;
	int err;

	wallet_file_encode(&wallet->secrets->data, &wallet->secrets->seal, wallet->random, &file);
	err = rc_file_replace(wallet->file, file.data, file.len, 0600, error);
	rc_buf_done(&file);
	return err;
}

static int make(struct wallet *wallet, const struct wallet_data *data, const char *passphrase,
		uint8_t log_n, struct rc_error *error)
{
	int err = lock(wallet, error);

	if (err < 0)
		return err;
	if (access(wallet->path, F_OK) == 0)
		return rc_error_set(
			error, RC_EEXIST,
			"%s is there already: it is not touched; choose another --wallet",
			wallet->path);
	wallet->secrets->data = *data;
	err = wallet_seal_make(wallet->network.id.b, log_n, passphrase, wallet->random,
			       &wallet->secrets->seal, error);
	if (err == RC_OK)
		err = open_keys(wallet, error);
	return err;
}

int wallet_prepare(const char *path, const struct rc_network *network,
		   const struct wallet_data *data, const char *passphrase, uint8_t log_n,
		   const struct rc_random *random, struct wallet **ret_wallet,
		   struct rc_error *error)
{
	struct wallet *wallet = wallet_new(path, random);
	int err;

	wallet->network = *network;
	err = make(wallet, data, passphrase, log_n, error);
	if (err < 0)
		wallet_close(wallet);
	else
		*ret_wallet = wallet;
	return err;
}

int wallet_create(const char *path, const struct rc_network *network,
		  const struct wallet_data *data, const char *passphrase, uint8_t log_n,
		  const struct rc_random *random, struct wallet **ret_wallet,
		  struct rc_error *error)
{
	struct wallet *wallet;
	int err = wallet_prepare(path, network, data, passphrase, log_n, random, &wallet, error);

	if (err < 0)
		return err;
	err = wallet_save(wallet, error);
	if (err < 0)
		wallet_close(wallet);
	else
		*ret_wallet = wallet;
	return err;
}

static int read_and_open(struct wallet *wallet, const char *network,
			 int (*ask)(void *arg, char *ret_text, struct rc_error *error), void *arg,
			 struct rc_buf *file, struct rc_error *error)
{
	struct wallet_secrets *s = wallet->secrets;
	struct wallet_head head;
	int err;

	if (access(wallet->path, F_OK) < 0)
		return rc_error_errno(error, "%s", wallet->path);
	err = lock(wallet, error);
	if (err == RC_OK)
		err = rc_file_read(wallet->file, WALLET_FILE_MAX, file, error);
	if (err < 0)
		return err;
	err = wallet_file_head(file->data, file->len, &head, error);
	if (err < 0)
		return rc_error_prefix(error, "%s", wallet->path);
	err = wallet_network(network, head.network_id, &wallet->network, error);
	if (err == RC_OK)
		err = ask(arg, s->passphrase, error);
	if (err < 0)
		return err;
	err = wallet_file_open(file->data, file->len, s->passphrase, &s->data, &s->seal, error);
	rc_wipe(s->passphrase, sizeof(s->passphrase));
	if (err < 0)
		return rc_error_prefix(error, "%s", wallet->path);
	return open_keys(wallet, error);
}

int wallet_open(const char *path, const char *network,
		int (*ask_passphrase)(void *arg, char *ret_text, struct rc_error *error), void *arg,
		const struct rc_random *random, struct wallet **ret_wallet, struct rc_error *error)
{
	struct wallet *wallet = wallet_new(path, random);
	struct rc_buf file = RC_BUF_INIT;
	int err = read_and_open(wallet, network, ask_passphrase, arg, &file, error);

	rc_buf_done(&file);
	if (err < 0)
		wallet_close(wallet);
	else
		*ret_wallet = wallet;
	return err;
}

int wallet_change_passphrase(struct wallet *wallet, const char *passphrase, uint8_t log_n,
			     struct rc_error *error)
{
	struct wallet_seal *seal = secret_alloc(sizeof(*seal));
	int err = wallet_seal_make(wallet->network.id.b, log_n, passphrase, wallet->random, seal,
				   error);

	if (err == RC_OK) {
		wallet->secrets->seal = *seal;
		err = wallet_save(wallet, error);
	}
	secret_free(seal, sizeof(*seal));
	return err;
}

bool wallet_address(const struct wallet *wallet, enum wallet_chain chain, uint32_t index,
		    struct node_address *ret_address)
{
	if (!wallet_keys_output(&wallet->secrets->keys, chain, index, ret_address->output_key,
				NULL))
		return false;
	rc_address_encode(wallet->network.params.hrp, ret_address->output_key, ret_address->text);
	ret_address->chain = chain;
	ret_address->index = index;
	return true;
}

/* The coins of addresses from … end − 1 of a chain; *ret_last: one more than the greatest index
 * that has a coin, or 0. */
static int scan_range(struct wallet *wallet, struct node *node, enum wallet_chain chain,
		      uint32_t from, uint32_t end, struct node_coins *coins, uint32_t *ret_last,
		      struct rc_error *error)
{
	struct node_address *addresses = rc_alloc_array(end - from, sizeof(*addresses));
	size_t before = coins->n, n = 0;
	int err;

	for (uint32_t i = from; i < end; i++)
		n += wallet_address(wallet, chain, i, &addresses[n]);
	err = node_list_coins(node, addresses, n, coins, error);
	*ret_last = 0;
	for (size_t i = before; err == RC_OK && i < coins->n; i++)
		if (coins->coins[i].index >= *ret_last)
			*ret_last = coins->coins[i].index + 1;
	free(addresses);
	return err;
}

int wallet_scan(struct wallet *wallet, struct node *node, uint32_t gap, struct node_coins *coins,
		bool *ret_moved, struct rc_error *error)
{
	*ret_moved = false;
	for (int chain = WALLET_RECEIVE; chain <= WALLET_CHANGE; chain++) {
		uint32_t *next = &wallet->secrets->data.next[chain], done = 0, last;

		while (done < *next + gap && *next + gap < RC_BIP32_HARDENED) {
			uint32_t end = *next + gap;
			int err = scan_range(wallet, node, chain, done, end, coins, &last, error);

			if (err < 0)
				return err;
			done = end;
			if (last > *next) {
				*next = last;
				*ret_moved = true;
			}
		}
	}
	return RC_OK;
}

/* The addresses before the next index and `gap` more, of both chains; the caller frees them. */
static struct node_address *list_addresses(const struct wallet *wallet, uint32_t gap, size_t *ret_n)
{
	const uint32_t *next = wallet->secrets->data.next;
	struct node_address *list =
		rc_alloc_array((size_t)next[0] + next[1] + 2 * (size_t)gap, sizeof(*list));
	size_t n = 0;

	for (int chain = WALLET_RECEIVE; chain <= WALLET_CHANGE; chain++)
		for (uint32_t i = 0; i < next[chain] + gap && i < RC_BIP32_HARDENED; i++)
			n += wallet_address(wallet, chain, i, &list[n]);
	*ret_n = n;
	return list;
}

int wallet_find(struct wallet *wallet, struct node *node, uint32_t gap,
		const struct rc_outpoint *at, size_t n, struct node_coins *coins, bool *ret_moved,
		struct rc_error *error)
{
	size_t n_addresses;
	struct node_address *addresses = list_addresses(wallet, gap, &n_addresses);
	char txid[RC_ID_HEX];
	int err = RC_OK;

	*ret_moved = false;
	for (size_t i = 0; i < n && err == RC_OK; i++) {
		const struct wallet_coin *coin;
		bool found;
		uint32_t *next;

		err = node_find_coin(node, &at[i], addresses, n_addresses, coins, &found, error);
		if (err == RC_OK && !found)
			err = rc_error_set(error, RC_ENOENT,
					   "coin %s:%u is not this wallet's, or is spent",
					   rc_txid_hex(txid, &at[i].txid), at[i].index);
		if (err < 0)
			break;
		coin = &coins->coins[coins->n - 1];
		next = &wallet->secrets->data.next[coin->chain];
		if (coin->index >= *next) {
			*next = coin->index + 1;
			*ret_moved = true;
		}
	}
	free(addresses);
	return err;
}
