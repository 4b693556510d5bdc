/*
 * A peer that brings transactions: it fills its purse on a regtest node, signs payments ahead, and
 * then announces and gives them over the real encrypted link, as fast as the node asks for them.
 */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <uthash.h>

#include "base/log.h"
#include "client/chaind.h"
#include "consensus/network.h"
#include "consensus/sighash.h"
#include "crypto/schnorr.h"
#include "daemons/peerd/message.h"
#include "proto/peer.pb-c.h"
#include "types/block.h"

#include "driver.h"

#define KEYS		256  /* signing keys, each of many coins */
#define FAN_OUT		2000 /* coins of one transaction: 84 kB */
#define COIN_OXIDES	1000000
#define SIGN_A_JOB	128
#define DEADLINE_MS	120000
#define ANNOUNCE_WINDOW 4000 /* announced and not given: below what a peer may have outstanding */
#define INV_ITEMS	500
#define SUBMIT_ITEMS	500
#define SUBMITS_OUT	4
#define POLL_US		500 /* between questions for the pool's count */

struct coin {
	struct rc_outpoint outpoint;
	struct rc_coin coin;
	uint32_t key;
};

struct payment {
	struct rc_wtxid wtxid;
	uint8_t *message; /* of the link: the transaction is its end */
	size_t len, raw_len;
	UT_hash_handle hh;
};

struct tx_peer {
	struct rc_loop *loop;
	struct rc_chaind *chaind;
	struct rc_network network;
	uint8_t secrets[KEYS][32], locks[KEYS][RC_LOCK_KEY_SIZE];
	struct coin *coins;
	size_t n_coins, next_coin;
	struct payment *payments, *by_wtxid;
	size_t n_payments, next_payment;

	int fd;
	uint16_t port;
	struct rc_source *source;
	struct rc_link *link;
	struct rc_buf out;
	size_t out_at;
	bool ready;
	uint64_t given; /* in all */

	/* The call that is waited for. */
	bool answered;
	struct rc_chain_info info;
	struct rc_mempool_info pool;
	unsigned submits_out;
	size_t n_template;
};

static double cpu_s(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/* ---- questions to chaind, one at a time ---- */

static void wait_answer(struct tx_peer *p)
{
	while (!p->answered)
		rc_loop_turn(p->loop, -1);
	p->answered = false;
}

static void expect(const struct rc_reply *why)
{
	if (why->err < 0)
		driver_die("chaind: %s: %s", rc_err_text(why->err), why->text ? why->text : "");
}

static void on_info(void *arg, const struct rc_reply *why, const struct rc_chain_info *reply)
{
	struct tx_peer *p = arg;

	expect(why);
	p->info = *reply;
	p->answered = true;
}

static void on_pool(void *arg, const struct rc_reply *why, const struct rc_mempool_info *reply)
{
	struct tx_peer *p = arg;

	expect(why);
	p->pool = *reply;
	p->answered = true;
}

static void ask_pool(struct tx_peer *p)
{
	rc_chaind_mempool_info(p->chaind, DEADLINE_MS, on_pool, p);
	wait_answer(p);
}

static uint32_t height(struct tx_peer *p)
{
	rc_chaind_chain_info(p->chaind, DEADLINE_MS, on_info, p);
	wait_answer(p);
	return p->info.tip.height;
}

static void on_generated(void *arg, const struct rc_reply *why, const struct rc_block_ids *reply)
{
	struct tx_peer *p = arg;

	(void)reply;
	expect(why);
	p->answered = true;
}

static void generate(struct tx_peer *p, uint32_t n)
{
	uint32_t goal = height(p) + n;
	struct rc_bytes lock = {p->locks[0], RC_LOCK_KEY_SIZE};

	while (height(p) < goal) {
		rc_chaind_generate(p->chaind, lock, goal, 0, DEADLINE_MS, on_generated, p);
		wait_answer(p);
	}
}

struct coinbase_call {
	struct tx_peer *p;
	struct rc_outpoint outpoint;
	struct rc_coin coin;
	struct rc_block_id id;
};

static void on_block_id(void *arg, const struct rc_reply *why, const struct rc_block_id *reply)
{
	struct coinbase_call *call = arg;

	expect(why);
	call->id = *reply;
	call->p->answered = true;
}

static void on_block(void *arg, const struct rc_reply *why, const struct rc_header_info *reply)
{
	struct coinbase_call *call = arg;
	struct rc_arena arena = RC_ARENA_INIT;
	struct rc_block_reader reader;
	struct rc_tx tx;

	expect(why);
	if (!rc_block_reader_init(&reader, reply->raw.data, reply->raw.len) ||
	    !rc_block_reader_next(&reader, &arena, &tx))
		driver_die("a block that can't be read");
	for (uint32_t i = 0; i < tx.n_outputs; i++) {
		if (tx.outputs[i].lock.kind != RC_LOCK_KEY)
			continue;
		call->outpoint = (struct rc_outpoint){tx.txid, i};
		rc_coin_init(&call->coin, tx.outputs[i].amount, reply->height, true,
			     &tx.outputs[i].lock);
		break;
	}
	rc_arena_done(&arena);
	call->p->answered = true;
}

static void coinbase_of(struct tx_peer *p, uint32_t at, struct coinbase_call *call)
{
	*call = (struct coinbase_call){.p = p};
	rc_chaind_block_id_at(p->chaind, at, DEADLINE_MS, on_block_id, call);
	wait_answer(p);
	rc_chaind_block(p->chaind, &call->id, DEADLINE_MS, on_block, call);
	wait_answer(p);
}

/* ---- signing ---- */

/* Every input spent by the key path. */
static void encode_signed(const struct tx_peer *p, struct rc_tx *tx,
			  const struct rc_coin *const *coins, const uint32_t *keys,
			  struct rc_buf *raw)
{
	struct rc_buf witness = RC_BUF_INIT;
	struct rc_sighash s;

	rc_sighash_init(&p->network.id, tx, coins, &s);
	rc_buf_reserve(&witness, (size_t)tx->n_inputs * 70);
	for (uint32_t i = 0; i < tx->n_inputs; i++) {
		struct rc_hash hash;
		uint8_t sig[64];
		size_t at = witness.len;

		rc_sighash(&s, i, RC_HASH_ALL, NULL, &hash);
		if (!rc_schnorr_sign(p->secrets[keys[i]], hash.b, 32, NULL, sig))
			driver_die("signing");
		rc_witness_put(&witness, &(struct rc_bytes){sig, 64}, 1);
		tx->inputs[i].witness = witness.data + at;
		tx->inputs[i].witness_len = (uint32_t)(witness.len - at);
	}
	rc_tx_encode(tx, raw);
	rc_buf_done(&witness);
}

static void on_submitted(void *arg, const struct rc_reply *why, const struct rc_submit_txs *reply)
{
	struct tx_peer *p = arg;

	expect(why);
	for (size_t i = 0; i < reply->n; i++) {
		if (strcmp(reply->results[i].verdict, "ok") != 0)
			driver_die("refused: %s %s", reply->results[i].verdict,
				   reply->results[i].reason);
	}
	p->submits_out--;
	p->answered = true;
}

static void fan_out(struct tx_peer *p, const struct coinbase_call *from)
{
	struct rc_tx_in in = {.prevout = from->outpoint, .sequence = RC_SEQUENCE_FINAL};
	struct rc_tx_out *outputs = rc_alloc_array(FAN_OUT, sizeof(*outputs));
	struct rc_tx tx = {.version = RC_TX_VERSION,
			   .n_inputs = 1,
			   .n_outputs = FAN_OUT,
			   .inputs = &in,
			   .outputs = outputs};
	const struct rc_coin *coin = &from->coin;
	struct rc_arena arena = RC_ARENA_INIT;
	struct rc_buf raw = RC_BUF_INIT;
	struct rc_bytes bytes;
	struct rc_tx made;
	uint32_t key = 0;

	for (uint32_t i = 0; i < FAN_OUT; i++)
		outputs[i] = (struct rc_tx_out){
			COIN_OXIDES, {p->locks[i % KEYS], RC_LOCK_KEY_SIZE, RC_LOCK_KEY}};
	encode_signed(p, &tx, &coin, &key, &raw);
	if (!rc_tx_decode(raw.data, raw.len, &arena, &made))
		driver_die("a transaction of our own can't be read");
	p->coins = rc_realloc_array(p->coins, p->n_coins + FAN_OUT, sizeof(*p->coins));
	for (uint32_t i = 0; i < FAN_OUT; i++) {
		struct coin *c = &p->coins[p->n_coins++];

		*c = (struct coin){.outpoint = {made.txid, i}, .key = i % KEYS};
		rc_coin_init(&c->coin, COIN_OXIDES, 0, false, &outputs[i].lock);
	}
	bytes = (struct rc_bytes){raw.data, raw.len};
	p->submits_out++;
	rc_chaind_submit_txs(p->chaind, 0, false, 0, &bytes, 1, DEADLINE_MS, on_submitted, p);
	wait_answer(p);
	rc_arena_done(&arena);
	rc_buf_done(&raw);
	free(outputs);
}

static void settle(struct tx_peer *p)
{
	for (;;) {
		ask_pool(p);
		if (p->pool.count == 0)
			return;
		generate(p, 1);
	}
}

static void fund(struct tx_peer *p, size_t n)
{
	uint32_t from = height(p) + 1, txs = (uint32_t)((n + FAN_OUT - 1) / FAN_OUT);

	generate(p, txs + p->network.params.maturity);
	for (uint32_t i = 0; i < txs; i++) {
		struct coinbase_call call;

		coinbase_of(p, from + i, &call);
		fan_out(p, &call);
	}
	settle(p);
}

struct sign_job {
	struct rc_work work;
	struct tx_peer *p;
	size_t first, n;
};

static void sign_one(struct tx_peer *p, size_t i, struct payment *ret)
{
	struct coin *coins = p->coins + p->next_coin + 2 * i;
	uint64_t number = p->next_coin / 2 + i;
	struct rc_tx_in in[2];
	struct rc_tx_out out[2];
	uint8_t locks[2][RC_LOCK_KEY_SIZE], key[32];
	const struct rc_coin *coin_at[2] = {&coins[0].coin, &coins[1].coin};
	uint32_t keys[2] = {coins[0].key, coins[1].key};
	struct rc_tx tx = {.version = RC_TX_VERSION,
			   .n_inputs = 2,
			   .n_outputs = 2,
			   .inputs = in,
			   .outputs = out};
	struct rc_arena arena = RC_ARENA_INIT;
	struct rc_buf raw = RC_BUF_INIT, message = RC_BUF_INIT;
	struct rc_tx made;

	for (unsigned k = 0; k < 2; k++) {
		uint64_t seed[2] = {number, k};

		/* Locks nobody has seen before. */
		rc_sha256(seed, sizeof(seed), key);
		rc_lock_key_encode(key, locks[k]);
		in[k] = (struct rc_tx_in){.prevout = coins[k].outpoint,
					  .sequence = RC_SEQUENCE_FINAL};
		out[k] = (struct rc_tx_out){COIN_OXIDES - 500 - (number * 7919 + k) % 2000,
					    {locks[k], RC_LOCK_KEY_SIZE, RC_LOCK_KEY}};
	}
	encode_signed(p, &tx, coin_at, keys, &raw);
	if (!rc_tx_decode(raw.data, raw.len, &arena, &made))
		driver_die("a payment of our own can't be read");
	ret->wtxid = made.wtxid;
	ret->raw_len = raw.len;
	peer_message_put_raw((struct rc_bytes){raw.data, raw.len}, &message);
	ret->message = rc_buf_take(&message, &ret->len);
	rc_arena_done(&arena);
	rc_buf_done(&raw);
}

static void sign_run(struct rc_work *work)
{
	struct sign_job *job = (struct sign_job *)work;

	for (size_t i = job->first; i < job->first + job->n; i++)
		sign_one(job->p, i, &job->p->payments[job->p->n_payments + i]);
}

static void forget_payments(struct tx_peer *p)
{
	HASH_CLEAR(hh, p->by_wtxid);
	for (size_t i = 0; i < p->n_payments; i++)
		free(p->payments[i].message);
	p->n_payments = p->next_payment = 0;
	free(p->payments);
	p->payments = NULL;
}

static void sign_payments(struct tx_peer *p, size_t n)
{
	size_t n_jobs = (n + SIGN_A_JOB - 1) / SIGN_A_JOB;
	struct sign_job *jobs = rc_alloc_array(n_jobs, sizeof(*jobs));
	struct rc_workers *workers = rc_workers_new(2, "sign");

	if (2 * n > p->n_coins - p->next_coin)
		driver_die("too few coins: fund more");
	if (p->next_payment != p->n_payments)
		driver_die("send what is signed first");
	forget_payments(p);
	p->payments = rc_alloc_array(n, sizeof(*p->payments));
	for (size_t i = 0; i < n_jobs; i++) {
		size_t first = i * SIGN_A_JOB;

		jobs[i] = (struct sign_job){{.run = sign_run},
					    p,
					    first,
					    n - first < SIGN_A_JOB ? n - first : SIGN_A_JOB};
		rc_workers_submit(workers, &jobs[i].work);
	}
	rc_workers_free(workers);
	p->next_coin += 2 * n;
	for (size_t i = 0; i < n; i++)
		HASH_ADD(hh, p->by_wtxid, wtxid, sizeof(struct rc_wtxid), &p->payments[i]);
	p->n_payments = n;
	free(jobs);
}

/* ---- the link ---- */

static void flush(struct tx_peer *p)
{
	for (;;) {
		ssize_t n;

		if (p->out_at == p->out.len) {
			rc_buf_clear(&p->out);
			p->out_at = 0;
			if (rc_link_pull(p->link, &p->out, 256u << 10) == 0)
				break;
		}
		n = send(p->fd, p->out.data + p->out_at, p->out.len - p->out_at, MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			driver_die("peerd closed the link");
		if (n < 0)
			break;
		p->out_at += (size_t)n;
	}
	rc_source_set_events(p->source, POLLIN | (p->out_at < p->out.len ? POLLOUT : 0));
}

static void say(struct tx_peer *p, enum peer_message message, const ProtobufCMessage *m)
{
	uint8_t data[INV_ITEMS * PEER_ITEM_SIZE + 64];
	size_t len = protobuf_c_message_pack(m, data);

	assert(len <= sizeof(data));
	rc_link_send(p->link, RC_LINK_CONTROL, (uint16_t)message, data, len);
}

static int64_t link_max(void *arg, enum rc_link_stream stream, uint16_t type)
{
	const struct peer_message_info *info = peer_message_find(type);

	(void)arg;
	return info && info->stream == stream ? (int64_t)info->max : -1;
}

static bool link_open(void *arg, struct rc_link *link)
{
	struct tx_peer *p = arg;
	Rc__P2p__Hello m = RC__P2P__HELLO__INIT;

	(void)link;
	m.version = PEER_PROTOCOL_VERSION;
	m.user_agent = (char *)"tx_peer";
	m.time = (uint64_t)(rc_wall_ms(&rc_clock_system) / 1000);
	say(p, PEER_MSG_HELLO, &m.base);
	return true;
}

static void give(struct tx_peer *p, const ProtobufCBinaryData *items)
{
	for (size_t i = 0; i + PEER_ITEM_SIZE <= items->len; i += PEER_ITEM_SIZE) {
		struct payment *pay = NULL;

		if (items->data[i] == PEER_ITEM_WTXID)
			HASH_FIND(hh, p->by_wtxid, items->data + i + 1, 32, pay);
		if (!pay)
			driver_die("asked for what it wasn't offered");
		rc_link_send(p->link, RC_LINK_BULK, PEER_MSG_TX, pay->message, pay->len);
		p->given++;
	}
}

static bool link_message(void *arg, struct rc_link *link, enum rc_link_stream stream, uint16_t type,
			 struct rc_buf *data)
{
	struct tx_peer *p = arg;
	Rc__P2p__GetData *asked;

	(void)stream;
	switch (type) {
	case PEER_MSG_HELLO:
		p->ready = true;
		break;
	case PEER_MSG_PING: /* the answer has the question's form */
		rc_link_send(link, RC_LINK_CONTROL, PEER_MSG_PONG, data->data, data->len);
		break;
	case PEER_MSG_GETHEADERS: /* none */
		rc_link_send(link, RC_LINK_CONTROL, PEER_MSG_HEADERS, "", 0);
		break;
	case PEER_MSG_GETDATA:
		asked = rc__p2p__get_data__unpack(NULL, data->len, data->data);
		if (!asked)
			driver_die("a getdata that can't be read");
		give(p, &asked->items);
		rc__p2p__get_data__free_unpacked(asked, NULL);
		break;
	default:
		break;
	}
	return true;
}

static void on_socket(void *arg, int fd, uint32_t revents)
{
	static uint8_t buf[64u << 10];
	struct tx_peer *p = arg;
	ssize_t n;

	(void)revents;
	n = recv(fd, buf, sizeof(buf), 0);
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		driver_die("peerd closed the link");
	if (n > 0 && rc_link_feed(p->link, buf, (size_t)n) == RC_LINK_FAILED)
		driver_die("%s", rc_link_fault_text(rc_link_fault(p->link)));
	flush(p);
}

static void dial(struct tx_peer *p)
{
	struct rc_handshake_params params = {
		.initiator = true,
		.pattern = RC_LINK_XX,
		.prologue_len = RC_LINK_PROLOGUE_SIZE,
		.random = &rc_random_system,
	};
	struct rc_link_events events = {link_max, link_open, link_message, p};
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_port = htons(p->port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int one = 1;

	if (p->link)
		return;
	p->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (p->fd < 0 || connect(p->fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		driver_die("peerd isn't there");
	setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	rc_link_secret_make(&rc_random_system, params.secret);
	rc_link_prologue(p->network.id.b, params.prologue);
	p->link = rc_link_new(&params, &events);
	p->source = rc_loop_add_fd(p->loop, p->fd, POLLIN, on_socket, p);
	flush(p);
	while (!p->ready)
		rc_loop_turn(p->loop, -1);
}

static void announce(struct tx_peer *p, size_t from, size_t n)
{
	Rc__P2p__Inv m = RC__P2P__INV__INIT;
	uint8_t items[INV_ITEMS * PEER_ITEM_SIZE];

	for (size_t i = 0; i < n; i++) {
		items[i * PEER_ITEM_SIZE] = PEER_ITEM_WTXID;
		memcpy(items + i * PEER_ITEM_SIZE + 1, p->payments[from + i].wtxid.b, 32);
	}
	m.items.data = items;
	m.items.len = n * PEER_ITEM_SIZE;
	say(p, PEER_MSG_INV, &m.base);
}

static void on_timer(void *arg)
{
	(void)arg; /* it ends the turn */
}

static json_t *sent(struct tx_peer *p, size_t n, double start, double cpu)
{
	double seconds = driver_now() - start;

	p->next_payment += n;
	return json_pack("{s:I, s:f, s:f}", "count", (json_int_t)n, "seconds", seconds, "own_cpu",
			 cpu_s() - cpu);
}

static json_t *send_payments(struct tx_peer *p, size_t n)
{
	struct rc_source *timer = rc_loop_add_timer(p->loop, on_timer, p);
	size_t announced = 0;
	uint64_t before, given_before;
	double start, cpu;

	if (n > p->n_payments - p->next_payment)
		driver_die("sign more first");
	dial(p);
	ask_pool(p);
	before = p->pool.count;
	given_before = p->given;
	start = driver_now();
	cpu = cpu_s();
	while (p->given - given_before < n) {
		while (announced < n &&
		       announced - (p->given - given_before) <= ANNOUNCE_WINDOW - INV_ITEMS) {
			size_t more = n - announced < INV_ITEMS ? n - announced : INV_ITEMS;

			announce(p, p->next_payment + announced, more);
			announced += more;
		}
		flush(p);
		rc_loop_turn(p->loop, -1);
	}
	flush(p);
	for (;;) {
		ask_pool(p);
		if (p->pool.count >= before + n)
			break;
		if (driver_now() - start > 100)
			driver_die("the pool doesn't fill");
		rc_timer_arm(timer, POLL_US);
		rc_loop_turn(p->loop, -1);
	}
	rc_source_free(timer);
	return sent(p, n, start, cpu);
}

static json_t *submit_payments(struct tx_peer *p, size_t n)
{
	double start = driver_now(), cpu = cpu_s();
	size_t done = 0;

	if (n > p->n_payments - p->next_payment)
		driver_die("sign more first");
	while (done < n || p->submits_out) {
		struct rc_bytes txs[SUBMIT_ITEMS];
		size_t more = 0;

		while (done < n && more < SUBMIT_ITEMS && p->submits_out < SUBMITS_OUT) {
			const struct payment *pay = &p->payments[p->next_payment + done++];

			txs[more++] = (struct rc_bytes){pay->message + pay->len - pay->raw_len,
							pay->raw_len};
		}
		if (more) {
			p->submits_out++;
			rc_chaind_submit_txs(p->chaind, 1, false, 0, txs, more, DEADLINE_MS,
					     on_submitted, p);
			continue;
		}
		wait_answer(p);
	}
	p->answered = false;
	ask_pool(p);
	return sent(p, n, start, cpu);
}

/* ---- what chaind answers of its pool ---- */

static void on_template(void *arg, const struct rc_reply *why, const struct rc_template *reply)
{
	struct tx_peer *p = arg;

	expect(why);
	p->n_template = reply->n_txs;
	p->answered = true;
}

static void make_keys(struct tx_peer *p)
{
	for (uint32_t i = 0; i < KEYS; i++) {
		uint8_t key[32], seed[] = {'t', 'x', (uint8_t)i};

		rc_sha256(seed, sizeof(seed), p->secrets[i]);
		if (!rc_xonly_from_secret(p->secrets[i], key, NULL))
			driver_die("a secret that is none");
		rc_lock_key_encode(key, p->locks[i]);
	}
}

/* ---- commands ---- */

static struct tx_peer *peer;

static void close_peer(void)
{
	struct tx_peer *p = peer;

	if (!p)
		return;
	rc_chaind_close(p->chaind);
	if (p->link) {
		rc_source_free(p->source);
		rc_link_free(p->link);
		close(p->fd);
	}
	rc_loop_free(p->loop);
	forget_payments(p);
	free(p->coins);
	rc_buf_done(&p->out);
	free(p);
	peer = NULL;
}

static json_t *cmd_open(char **words, int n)
{
	struct rc_client_config config = {.from = RC_TOOL, .to = RC_CHAIND, .role = RC_ROLE_ADMIN};
	struct tx_peer *p = rc_alloc(sizeof(*p));
	struct rc_error error;

	(void)n;
	close_peer();
	peer = p;
	if (!rc_network_builtin("reg", &p->network))
		driver_die("no regtest");
	p->port = (uint16_t)driver_number(words[1], UINT16_MAX);
	make_keys(p);
	p->loop = rc_loop_new();
	config.rundir = words[0];
	config.boot = rc_random_u64(&rc_random_system);
	memcpy(config.network_id, p->network.id.b, 32);
	if (rc_chaind_open(p->loop, &config, &p->chaind, &error) < 0)
		driver_die("%s", error.text);
	return json_pack("{s:i}", "height", (int)height(p));
}

static json_t *cmd_fund(char **words, int n)
{
	(void)n;
	fund(peer, driver_number(words[0], 10000000));
	return json_pack("{s:I, s:i}", "coins", (json_int_t)(peer->n_coins - peer->next_coin),
			 "height", (int)height(peer));
}

static json_t *cmd_sign(char **words, int n)
{
	(void)n;
	sign_payments(peer, driver_number(words[0], 5000000));
	return json_pack("{s:I}", "bytes_each", (json_int_t)peer->payments[0].raw_len);
}

static json_t *cmd_send(char **words, int n)
{
	(void)n;
	return send_payments(peer, driver_number(words[0], 5000000));
}

static json_t *cmd_submit(char **words, int n)
{
	(void)n;
	return submit_payments(peer, driver_number(words[0], 5000000));
}

static json_t *cmd_settle(char **words, int n)
{
	(void)words;
	(void)n;
	settle(peer);
	return json_pack("{s:i}", "height", (int)height(peer));
}

static json_t *cmd_info(char **words, int n)
{
	(void)words;
	(void)n;
	ask_pool(peer);
	return json_pack("{s:I, s:I, s:I, s:I}", "count", (json_int_t)peer->pool.count, "bytes",
			 (json_int_t)peer->pool.bytes, "usage", (json_int_t)peer->pool.usage,
			 "coins", (json_int_t)(peer->n_coins - peer->next_coin));
}

static json_t *cmd_template(char **words, int n)
{
	double start = driver_now();

	(void)words;
	(void)n;
	rc_chaind_template(peer->chaind, (struct rc_bytes){NULL, 0}, 0, true, DEADLINE_MS,
			   on_template, peer);
	wait_answer(peer);
	return json_pack("{s:I, s:f}", "txs", (json_int_t)peer->n_template, "seconds",
			 driver_now() - start);
}

int main(int argc, char **argv)
{
	static const struct driver_command commands[] = {
		{"open", 2, "RUNDIR PORT", cmd_open},
		{"fund", 1, "COINS", cmd_fund},
		{"sign", 1, "PAYMENTS", cmd_sign},
		{"send", 1, "PAYMENTS", cmd_send},
		{"submit", 1, "PAYMENTS", cmd_submit},
		{"settle", 0, "", cmd_settle},
		{"info", 0, "", cmd_info},
		{"template", 0, "", cmd_template},
		{NULL, 0, NULL, NULL},
	};
	int code;

	rc_schnorr_init();
	code = driver_run(
		argc, argv,
		"Brings signed payments of two inputs and two outputs to a regtest node.\n"
		"open: of which node, by its run directory and peerd's port on 127.0.0.1;\n"
		"fund: mines, and makes confirmed coins; sign: payments for later;\n"
		"send: the next ones over peerd's link, until the pool holds them;\n"
		"submit: to chaind itself; settle: mines until the pool is empty.",
		commands);
	close_peer();
	return code;
}
