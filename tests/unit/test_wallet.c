/* tools/rusty-wallet: the file, keys, the choice of coins, signed transactions. */
#include "tests/unit/rc_test.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/schnorr.h"
#include "tools/rusty-wallet/coins.h"
#include "tools/rusty-wallet/file.h"
#include "tools/rusty-wallet/keys.h"
#include "tools/rusty-wallet/node.h"
#include "tools/rusty-wallet/payment.h"
#include "tools/rusty-wallet/wallet.h"

#define LOG_N 4 /* cheap: what is tested is not scrypt */

static const uint8_t network_id[32] = {1, 2, 3};

static struct wallet_data some_data(struct rc_test_random *t, uint8_t entropy_len)
{
	struct wallet_data data = {.entropy_len = entropy_len, .account = 0, .next = {7, 3}};

	rc_random_fill(&t->random, data.entropy, entropy_len);
	return data;
}

/* ---- the file ---- */

static void test_file_round_trip(void **state)
{
	struct rc_test_random t;

	(void)state;
	rc_test_random_init(&t);
	for (uint8_t len = 16; len <= 32; len += 4) {
		struct wallet_data data = some_data(&t, len), got;
		struct wallet_seal seal, got_seal;
		struct rc_buf file = RC_BUF_INIT;
		struct rc_error error;

		assert_int_equal(wallet_seal_make(network_id, LOG_N, "secret words", &t.random,
						  &seal, &error),
				 RC_OK);
		wallet_file_encode(&data, &seal, &t.random, &file);
		assert_int_equal(wallet_file_open(file.data, file.len, "secret words", &got,
						  &got_seal, &error),
				 RC_OK);
		assert_int_equal(got.entropy_len, len);
		assert_memory_equal(got.entropy, data.entropy, len);
		assert_true(got.account == 0 && got.next[0] == 7 && got.next[1] == 3);
		assert_memory_equal(got_seal.key, seal.key, 32);
		assert_int_equal(wallet_file_open(file.data, file.len, "Secret words", &got,
						  &got_seal, &error),
				 RC_EDENIED);
		assert_int_equal(wallet_file_open(file.data, file.len, "", &got, &got_seal, &error),
				 RC_EDENIED);
		rc_buf_done(&file);
	}
}

static void test_file_damage(void **state)
{
	struct rc_test_random t;
	struct wallet_data data, got;
	struct wallet_seal seal, got_seal;
	struct rc_buf file = RC_BUF_INIT;
	struct rc_error error;

	(void)state;
	rc_test_random_init(&t);
	data = some_data(&t, 32);
	memset(&got, 0x55, sizeof(got));
	wallet_seal_make(network_id, LOG_N, "p", &t.random, &seal, &error);
	wallet_file_encode(&data, &seal, &t.random, &file);
	assert_int_equal(file.len, 8 + 2 + 32 + 1 + 4 + 4 + 32 + 12 + 4 + 45 + 16);
	for (size_t at = 0; at < file.len; at++) {
		for (int bit = 0; bit < 8; bit++) {
			file.data[at] ^= (uint8_t)(1 << bit);
			/* With the key itself: a changed salt or price must be seen too. */
			assert_true(wallet_file_unseal(file.data, file.len, &seal, &got, &error) <
				    0);
			file.data[at] ^= (uint8_t)(1 << bit);
		}
		file.data[at] ^= 1;
		if (at < 42 || at > 50) /* a flipped price may be dear */
			assert_true(wallet_file_open(file.data, file.len, "p", &got, &got_seal,
						     &error) < 0);
		file.data[at] ^= 1;
		assert_int_equal(wallet_file_unseal(file.data, at, &seal, &got, &error),
				 RC_EFORMAT);
	}
	rc_buf_put_u8(&file, 0);
	assert_int_equal(wallet_file_unseal(file.data, file.len, &seal, &got, &error), RC_EFORMAT);
	for (size_t i = 0; i < sizeof(got); i++)
		assert_int_equal(((uint8_t *)&got)[i], 0x55);
	file.data[8] = 2;
	assert_int_equal(wallet_file_unseal(file.data, file.len, &seal, &got, &error), RC_EVERSION);
	rc_buf_done(&file);
}

/* A price no program should pay is refused before memory is taken. */
static void test_file_price(void **state)
{
	struct rc_test_random t;
	struct wallet_data data, got;
	struct wallet_seal seal, got_seal;
	struct rc_buf file = RC_BUF_INIT;
	struct rc_error error;

	(void)state;
	rc_test_random_init(&t);
	data = some_data(&t, 16);
	wallet_seal_make(network_id, LOG_N, "p", &t.random, &seal, &error);
	seal.head.log_n = 22;
	wallet_file_encode(&data, &seal, &t.random, &file);
	assert_int_equal(wallet_file_open(file.data, file.len, "p", &got, &got_seal, &error),
			 RC_ETOOBIG);
	file.data[42] = 200;
	assert_int_equal(wallet_file_open(file.data, file.len, "p", &got, &got_seal, &error),
			 RC_EFORMAT);
	rc_buf_done(&file);
}

/* ---- the open wallet ---- */

struct answer {
	const char *text;
	int asked;
};

static int answer(void *arg, char *ret_text, struct rc_error *error)
{
	struct answer *a = arg;

	(void)error;
	a->asked++;
	strcpy(ret_text, a->text);
	return RC_OK;
}

static void test_wallet_life(void **state)
{
	char dir[] = "/tmp/rc-test-wallet-XXXXXX";
	RC_AUTOFREE char *path = NULL, *lock = NULL;
	struct answer right = {"open sesame", 0}, wrong = {"open barley", 0};
	struct wallet *wallet = NULL, *other = NULL;
	struct rc_network network;
	struct node_address first, again;
	struct rc_test_random t;
	struct wallet_data data;
	struct rc_error error;

	(void)state;
	rc_test_random_init(&t);
	data = some_data(&t, 32);
	assert_non_null(mkdtemp(dir));
	path = rc_asprintf("%s/w", dir);
	lock = rc_asprintf("%s/w.lock", dir);
	assert_int_equal(wallet_network("reg", NULL, &network, &error), RC_OK);
	assert_int_equal(wallet_open(path, NULL, answer, &right, &t.random, &other, &error),
			 RC_ENOENT);
	assert_int_equal(
		wallet_create(path, &network, &data, right.text, LOG_N, &t.random, &wallet, &error),
		RC_OK);
	assert_int_equal(
		wallet_create(path, &network, &data, right.text, LOG_N, &t.random, &other, &error),
		RC_ELOCKED);
	assert_int_equal(wallet_open(path, NULL, answer, &right, &t.random, &other, &error),
			 RC_ELOCKED);
	assert_true(wallet_address(wallet, WALLET_RECEIVE, 0, &first));
	assert_memory_equal(first.text, "rcrt1p", 6);
	wallet_close(wallet);
	assert_int_equal(
		wallet_create(path, &network, &data, right.text, LOG_N, &t.random, &other, &error),
		RC_EEXIST);
	right.asked = 0;
	assert_int_equal(wallet_open(path, "main", answer, &right, &t.random, &other, &error),
			 RC_ENETWORK);
	assert_int_equal(right.asked, 0);
	assert_int_equal(wallet_open(path, NULL, answer, &wrong, &t.random, &other, &error),
			 RC_EDENIED);
	assert_int_equal(wallet_open(path, NULL, answer, &right, &t.random, &wallet, &error), 0);
	assert_string_equal(wallet->network.params.name, "reg");
	assert_true(wallet_address(wallet, WALLET_RECEIVE, 0, &again));
	assert_string_equal(again.text, first.text);
	assert_int_equal(wallet_change_passphrase(wallet, wrong.text, LOG_N, &error), RC_OK);
	wallet_close(wallet);
	assert_int_equal(wallet_open(path, NULL, answer, &right, &t.random, &other, &error),
			 RC_EDENIED);
	assert_int_equal(wallet_open(path, "reg", answer, &wrong, &t.random, &wallet, &error), 0);
	assert_int_equal(wallet->secrets->data.next[0], 7);
	wallet_close(wallet);
	unlink(path);
	unlink(lock);
	rmdir(dir);
}

/* A symbolic link to the file, in another directory: saving goes through it. */
static void test_wallet_behind_link(void **state)
{
	char dir[] = "/tmp/rc-test-wallet-XXXXXX";
	RC_AUTOFREE char *path = NULL, *sub = NULL, *link = NULL, *lock = NULL;
	struct answer right = {"open sesame", 0};
	struct wallet *wallet = NULL, *other = NULL;
	struct rc_network network;
	struct rc_test_random t;
	struct wallet_data data;
	struct rc_error error;
	struct stat st;

	(void)state;
	rc_test_random_init(&t);
	data = some_data(&t, 32);
	assert_non_null(mkdtemp(dir));
	path = rc_asprintf("%s/w", dir);
	lock = rc_asprintf("%s/w.lock", dir);
	sub = rc_asprintf("%s/sub", dir);
	link = rc_asprintf("%s/sub/link", dir);
	assert_int_equal(mkdir(sub, 0700), 0);
	assert_int_equal(symlink("../w", link), 0);
	assert_int_equal(wallet_network("reg", NULL, &network, &error), RC_OK);
	/* To nothing: no wallet is made there, nor in the link's place. */
	assert_int_equal(
		wallet_create(link, &network, &data, right.text, LOG_N, &t.random, &other, &error),
		RC_EINVAL);
	assert_non_null(strstr(error.text, "symbolic link to nothing"));
	assert_int_equal(
		wallet_create(path, &network, &data, right.text, LOG_N, &t.random, &wallet, &error),
		RC_OK);
	/* Both names are one wallet. */
	assert_int_equal(wallet_open(link, NULL, answer, &right, &t.random, &other, &error),
			 RC_ELOCKED);
	wallet_close(wallet);
	assert_int_equal(wallet_open(link, NULL, answer, &right, &t.random, &wallet, &error), 0);
	wallet->secrets->data.next[0] = 1234;
	assert_int_equal(wallet_save(wallet, &error), RC_OK);
	wallet_close(wallet);
	assert_int_equal(lstat(link, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_int_equal(wallet_open(path, NULL, answer, &right, &t.random, &wallet, &error), 0);
	assert_int_equal(wallet->secrets->data.next[0], 1234);
	wallet_close(wallet);
	unlink(link);
	rmdir(sub);
	unlink(path);
	unlink(lock);
	assert_int_equal(rmdir(dir), 0); /* nothing else was left */
}

/* Secrets and output keys belong together; chains, indices and coin types differ. */
static void test_keys(void **state)
{
	struct wallet_keys main_keys, test_keys_;
	uint8_t a[32], b[32], c[32], d[32], secret[32], key[32];
	struct rc_test_random t;
	struct wallet_data data;

	(void)state;
	rc_test_random_init(&t);
	data = some_data(&t, 16);
	assert_true(wallet_keys_open(&data, WALLET_COIN_TYPE_MAIN, &main_keys));
	assert_true(wallet_keys_open(&data, WALLET_COIN_TYPE_OTHER, &test_keys_));
	assert_true(wallet_keys_output(&main_keys, WALLET_RECEIVE, 5, a, secret));
	assert_true(rc_xonly_from_secret(secret, key, NULL));
	assert_memory_equal(key, a, 32);
	assert_true(wallet_keys_output(&main_keys, WALLET_CHANGE, 5, b, NULL));
	assert_true(wallet_keys_output(&main_keys, WALLET_RECEIVE, 6, c, NULL));
	assert_true(wallet_keys_output(&test_keys_, WALLET_RECEIVE, 5, d, NULL));
	assert_memory_not_equal(a, b, 32);
	assert_memory_not_equal(a, c, 32);
	assert_memory_not_equal(a, d, 32);
}

/* The whole way from words to an address, computed by another program: BIP39's first sentence, path
 * m/86'/1'/0'/0/0, tag RC/taptweak, prefix rcrt. */
static void test_known_address(void **state)
{
	struct wallet_data data = {.entropy_len = 16};
	char address[RC_ADDRESS_SIZE];
	struct wallet_keys keys;
	uint8_t key[32];

	(void)state;
	assert_true(wallet_keys_open(&data, WALLET_COIN_TYPE_OTHER, &keys));
	assert_true(wallet_keys_output(&keys, WALLET_RECEIVE, 0, key, NULL));
	rc_address_encode("rcrt", key, address);
	assert_string_equal(address,
			    "rcrt1pqt35qwxpq243yety2l98a0zxgpr73f6pd47grffa6nrt780vmgrsxcczhj");
}

/* ---- coins ---- */

static struct wallet_coin coin_of(rc_amount amount, uint8_t name)
{
	struct wallet_coin coin = {.amount = amount, .height = 10, .confirmed = true};

	coin.at.txid.b[0] = name;
	return coin;
}

static struct wallet_order order_for(rc_amount amount, uint64_t rate)
{
	return (struct wallet_order){
		.amount = amount, .fee_rate = rate, .tip = 100, .maturity = 10};
}

/* The choice must balance, whatever it is. */
static void check_choice(const struct wallet_coin *coins, const struct wallet_order *order,
			 const struct wallet_choice *c)
{
	rc_amount sum = 0, least;

	for (size_t i = 0; i < c->n; i++) {
		sum += coins[c->picked[i]].amount;
		if (i)
			assert_true(rc_outpoint_cmp(&coins[c->picked[i - 1]].at,
						    &coins[c->picked[i]].at) < 0);
	}
	assert_true(sum == c->paid + c->change + c->fee);
	assert_true(c->change == 0 || c->change >= WALLET_DUST);
	assert_true(c->paid >= WALLET_DUST);
	least = order->fixed_fee ? order->fee
				 : order->fee_rate * wallet_payment_size(c->n, c->change ? 2 : 1);
	assert_true(c->fee >= least);
	if (!order->all && !order->subtract_fee)
		assert_true(c->paid == order->amount);
	/* Never more than the need, a change output and its spending, or dust. */
	if (!order->named)
		assert_true(c->fee - least <=
			    (order->fixed_fee ? 0 : order->fee_rate * 150) + WALLET_DUST);
}

static int choose(const struct wallet_coin *coins, size_t n, const struct wallet_order *order,
		  struct wallet_choice *choice)
{
	struct rc_error error;
	int err = wallet_choose(coins, n, order, choice, &error);

	if (err == RC_OK)
		check_choice(coins, order, choice);
	return err;
}

static void test_choice(void **state)
{
	struct wallet_coin coins[] = {coin_of(100000, 1), coin_of(50000, 2), coin_of(30000, 3),
				      coin_of(20158, 4)};
	struct wallet_order order = order_for(20000, 1);
	struct wallet_choice c;

	(void)state;
	/* 20,158 = 20,000 and the fee of one input and one output, 158 bytes: no change. */
	assert_int_equal(wallet_payment_size(1, 1), 158);
	assert_int_equal(choose(coins, 4, &order, &c), RC_OK);
	assert_int_equal(c.n, 1);
	assert_int_equal(c.picked[0], 3);
	assert_true(c.change == 0 && c.fee == 158);
	free(c.picked);
	/* Nothing fits: the largest, and change. */
	order.amount = 60000;
	assert_int_equal(choose(coins, 4, &order, &c), RC_OK);
	assert_int_equal(c.n, 1);
	assert_true(c.fee == wallet_payment_size(1, 2) && c.change == 100000 - 60000 - c.fee);
	free(c.picked);
	/* Dust goes to the fee. */
	order.fixed_fee = true;
	order.fee = 1000;
	order.amount = 100000 - 1000 - 545;
	assert_int_equal(choose(coins, 1, &order, &c), RC_OK);
	assert_true(c.change == 0 && c.fee == 1545);
	free(c.picked);
	order.amount--;
	assert_int_equal(choose(coins, 1, &order, &c), RC_OK);
	assert_true(c.change == 546 && c.fee == 1000);
	free(c.picked);
	/* The receiver pays. */
	order = order_for(100000, 2);
	order.subtract_fee = true;
	assert_int_equal(choose(coins, 4, &order, &c), RC_OK);
	assert_true(c.paid == 100000 - 2 * 158 && c.change == 0);
	free(c.picked);
	/* Everything. */
	order = order_for(0, 1);
	order.all = true;
	assert_int_equal(choose(coins, 4, &order, &c), RC_OK);
	assert_int_equal(c.n, 4);
	assert_true(c.paid == 200158 - wallet_payment_size(4, 1));
	free(c.picked);
}

static void test_choice_refusals(void **state)
{
	struct wallet_coin coins[] = {coin_of(100000, 1), coin_of(50000, 2)};
	struct wallet_order order = order_for(150000, 1);
	struct wallet_choice c = {0};
	struct rc_error error;

	(void)state;
	assert_int_equal(choose(coins, 2, &order, &c), RC_ERANGE);
	order.amount = 545;
	assert_int_equal(choose(coins, 2, &order, &c), RC_ERANGE);
	order.amount = RC_SUPPLY_LIMIT + 1;
	assert_int_equal(choose(coins, 2, &order, &c), RC_ERANGE);
	order.amount = UINT64_MAX;
	assert_int_equal(choose(coins, 2, &order, &c), RC_ERANGE);
	order.amount = 1000;
	order.fee_rate = WALLET_FEE_RATE_MAX + 1;
	assert_int_equal(choose(coins, 2, &order, &c), RC_ERANGE);
	order = order_for(1000, 1);
	assert_int_equal(choose(coins, 0, &order, &c), RC_ERANGE);
	coins[0].amount = coins[1].amount = RC_SUPPLY_LIMIT; /* a node that lies */
	assert_int_equal(choose(coins, 2, &order, &c), RC_EFORMAT);
	coins[0] = coin_of(700, 1);
	order = order_for(700, 1);
	order.subtract_fee = true; /* 700 less 158 is dust */
	assert_int_equal(wallet_choose(coins, 1, &order, &c, &error), RC_ERANGE);
	assert_non_null(strstr(error.text, "not enough"));
	assert_null(c.picked);
}

static void test_choice_of_kinds(void **state)
{
	struct wallet_coin coins[] = {coin_of(100000, 1), coin_of(100000, 2), coin_of(100000, 3)};
	struct wallet_order order = order_for(50000, 1);
	struct wallet_choice c;

	(void)state;
	coins[0].coinbase = true;
	coins[0].height = 92; /* may be spent in block 102; the next is 101 */
	coins[1].confirmed = false;
	coins[2].confirmed = false;
	coins[2].chain = WALLET_CHANGE;
	assert_int_equal(choose(coins, 2, &order, &c), RC_ERANGE);
	assert_int_equal(choose(coins, 3, &order, &c), RC_OK);
	assert_int_equal(c.picked[0], 2);
	free(c.picked);
	coins[0].height = 91;
	assert_int_equal(choose(coins, 3, &order, &c), RC_OK);
	assert_int_equal(c.picked[0], 0);
	free(c.picked);
	/* By name, also one that came from others and isn't confirmed. */
	order.named = true;
	assert_int_equal(choose(coins + 1, 1, &order, &c), RC_OK);
	free(c.picked);
	assert_int_equal(choose(coins, 3, &order, &c), RC_OK);
	assert_int_equal(c.n, 3);
	free(c.picked);
}

/* Any coins, any order of them: balanced, and the same choice. */
static void test_choice_random(void **state)
{
	struct rc_test_random t;
	size_t chosen = 0;

	(void)state;
	rc_test_random_init(&t);
	for (int round = 0; round < 400; round++) {
		struct wallet_coin coins[40], shuffled[40];
		size_t n = 1 + rc_random_below(&t.random, 40);
		struct wallet_order order = order_for(546 + rc_random_below(&t.random, 1000000),
						      rc_random_below(&t.random, 20));
		struct wallet_choice a = {0}, b = {0};
		int err;

		order.subtract_fee = rc_random_below(&t.random, 4) == 0;
		order.fixed_fee = rc_random_below(&t.random, 4) == 0;
		order.fee = rc_random_below(&t.random, 3000);
		for (size_t i = 0; i < n; i++) {
			coins[i] = coin_of(rc_random_below(&t.random, 100000), (uint8_t)i);
			coins[i].at.index = (uint32_t)rc_random_below(&t.random, 9);
			shuffled[i] = coins[i];
		}
		for (size_t i = n; i > 1; i--) {
			size_t k = rc_random_below(&t.random, i);
			struct wallet_coin keep = shuffled[i - 1];

			shuffled[i - 1] = shuffled[k];
			shuffled[k] = keep;
		}
		err = choose(coins, n, &order, &a);
		assert_int_equal(choose(shuffled, n, &order, &b), err);
		if (err == RC_OK) {
			chosen++;
			assert_int_equal(a.n, b.n);
			assert_true(a.fee == b.fee && a.change == b.change);
			for (size_t i = 0; i < a.n; i++)
				assert_memory_equal(&coins[a.picked[i]], &shuffled[b.picked[i]],
						    sizeof(coins[0]));
		}
		free(a.picked);
		free(b.picked);
	}
	assert_true(chosen > 50);
}

/* A hundred thousand coins neither take long nor nest deep. */
static void test_choice_many(void **state)
{
	size_t n = 100000;
	struct wallet_coin *coins = rc_alloc_array(n, sizeof(*coins));
	struct wallet_order order = order_for(50000000, 1);
	struct wallet_choice c;

	(void)state;
	for (size_t i = 0; i < n; i++) {
		coins[i] = coin_of(1000 + i, (uint8_t)i);
		coins[i].at.index = (uint32_t)i;
	}
	assert_int_equal(choose(coins, n, &order, &c), RC_OK);
	free(c.picked);
	order.amount = 100000000; /* more than so many of the largest are worth */
	assert_int_equal(choose(coins, n, &order, &c), RC_ERANGE);
	free(coins);
}

/* ---- what the node answers ---- */

static void test_node_answers(void **state)
{
	static const char good[] =
		"{\"utxos\":[{\"txid\":"
		"\"0000000000000000000000000000000000000000000000000000000000000007\",\"vout\":3,"
		"\"address\":\"us\",\"value\":\"1.00000000\",\"value_oxides\":100000000,"
		"\"height\":5,\"confirmations\":6,\"coinbase\":true},"
		"{\"txid\":"
		"\"0000000000000000000000000000000000000000000000000000000000000008\",\"vout\":0,"
		"\"address\":\"us\",\"value_oxides\":1,\"height\":0,\"confirmations\":0,"
		"\"coinbase\":false,\"spent\":true}]}";
	static const char *const bad[][2] = {
		{"\"us\"", "\"them\""},
		{"100000000,", "-1,"},
		{"100000000,", "1.5,"},
		{"\"vout\":3", "\"vout\":4294967296"},
		{"\"height\":5", "\"h\":5"},
		{"0007\"", "07\""},
		{"100000000,", "8400000000000001,"},
		{"utxos", "coins"},
	};
	struct node_address us = {.text = "us", .chain = 1, .index = 9};
	struct node_coins coins = {0};
	struct rc_error error;
	json_t *answer_ = json_loads(good, 0, NULL);

	(void)state;
	assert_int_equal(node_parse_coins(answer_, &us, 1, &coins, &error), RC_OK);
	assert_int_equal(coins.n, 1);
	assert_true(coins.coins[0].amount == 100000000 && coins.coins[0].confirmed);
	assert_true(coins.coins[0].coinbase && coins.coins[0].height == 5);
	assert_int_equal(coins.coins[0].at.txid.b[0], 7); /* shown byte-reversed */
	assert_int_equal(coins.coins[0].index, 9);
	json_decref(answer_);
	for (size_t i = 0; i < RC_ARRAY_LEN(bad); i++) {
		const char *at = strstr(good, bad[i][0]);
		RC_AUTOFREE char *text = rc_asprintf("%.*s%s%s", (int)(at - good), good, bad[i][1],
						     at + strlen(bad[i][0]));

		answer_ = json_loads(text, 0, NULL);
		assert_non_null(answer_);
		assert_int_equal(node_parse_coins(answer_, &us, 1, &coins, &error), RC_EFORMAT);
		json_decref(answer_);
	}
	node_coins_done(&coins);
}

/* ---- signed transactions ---- */

static void zeros(void *arg, void *dst, size_t len)
{
	(void)arg;
	memset(dst, 0, len);
}

/* The tweaked secret of a lock among the check values' keys. */
static void find_secret(const json_t *keys, const char *lock, uint8_t secret[32])
{
	const json_t *row;
	size_t i;

	json_array_foreach(keys, i, row)
	{
		if (strcmp(rc_test_str(row, "lock"), lock) == 0) {
			rc_test_hex_into(row, "tweaked_secret", secret, 32);
			return;
		}
	}
	fail_msg("no key for lock %s", lock);
}

static void check_signed_row(const json_t *row, const json_t *keys)
{
	const struct rc_random no_random = {zeros, NULL};
	const json_t *spent = json_object_get(row, "spent"), *coin;
	RC_AUTOFREE uint8_t *raw = NULL;
	size_t len = rc_test_hex(rc_test_str(row, "raw"), &raw), i;
	struct payment_input inputs[2] = {0};
	uint8_t secrets[2][32], want[32];
	struct rc_arena arena = RC_ARENA_INIT;
	struct rc_buf out = RC_BUF_INIT;
	struct rc_network network;
	struct rc_error error;
	struct rc_txid txid;
	struct rc_tx tx;

	assert_true(rc_network_builtin(rc_test_str(row, "network"), &network));
	assert_true(rc_tx_decode(raw, len, &arena, &tx));
	assert_int_equal(tx.n_inputs, 2);
	json_array_foreach(spent, i, coin)
	{
		RC_AUTOFREE uint8_t *lock_bytes = NULL;
		size_t lock_len = rc_test_hex(rc_test_str(coin, "lock"), &lock_bytes);
		struct rc_lock lock;

		assert_true(rc_lock_decode(lock_bytes, lock_len, &lock));
		rc_coin_init(&inputs[i].coin, rc_test_u64(json_object_get(coin, "amount")), 1,
			     false, &lock);
		find_secret(keys, rc_test_str(coin, "lock"), secrets[i]);
		inputs[i].prevout = tx.inputs[i].prevout;
		inputs[i].sequence = tx.inputs[i].sequence;
		inputs[i].secret = secrets[i];
		inputs[i].type =
			tx.inputs[i].witness_len == 67 ? RC_HASH_ANYONECANPAY : RC_HASH_ALL;
	}
	assert_int_equal(payment_build(&network.id, inputs, 2, tx.outputs, tx.n_outputs, &no_random,
				       &out, &txid, &error),
			 RC_OK);
	assert_int_equal(out.len, len);
	assert_memory_equal(out.data, raw, len);
	rc_test_hex_into(row, "txid", want, 32);
	assert_memory_equal(txid.b, want, 32);
	/* Secrets in the wrong places. */
	inputs[0].secret = secrets[1];
	assert_int_equal(payment_build(&network.id, inputs, 2, tx.outputs, tx.n_outputs, &no_random,
				       &out, &txid, &error),
			 RC_ECRYPTO);
	assert_int_equal(out.len, len);
	rc_buf_done(&out);
	rc_arena_done(&arena);
}

static void test_signed(void **state)
{
	json_t *root = rc_test_vectors("rustycoin/check-values.json"), *row;
	size_t i, rows = 0;

	(void)state;
	json_array_foreach(json_object_get(root, "signed"), i, row)
	{
		check_signed_row(row, json_object_get(root, "keys"));
		rows++;
	}
	assert_int_equal(rows, 2);
	json_decref(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_file_round_trip),	   cmocka_unit_test(test_file_damage),
		cmocka_unit_test(test_file_price),	   cmocka_unit_test(test_wallet_life),
		cmocka_unit_test(test_wallet_behind_link), cmocka_unit_test(test_keys),
		cmocka_unit_test(test_known_address),	   cmocka_unit_test(test_choice),
		cmocka_unit_test(test_choice_refusals),	   cmocka_unit_test(test_choice_of_kinds),
		cmocka_unit_test(test_choice_random),	   cmocka_unit_test(test_choice_many),
		cmocka_unit_test(test_node_answers),	   cmocka_unit_test(test_signed),
	};

	rc_schnorr_init();
	return cmocka_run_group_tests_name("wallet", tests, NULL, NULL);
}
