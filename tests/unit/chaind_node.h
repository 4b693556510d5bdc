/* A chaind and the utxod for tests in one process: nodes that mine, pay, reorganise and die. */
#ifndef CHAIND_NODE_H
#define CHAIND_NODE_H

#include "daemons/chaind/chaind.h"
#include "fake_utxod.h"

struct test_node {
	struct rc_loop *loop;
	struct rc_network network;
	char dir[64];
	char name[32];
	struct fake_utxod *utxod;
	struct chaind *chaind;
	struct rc_metrics *metrics;
	const struct rc_clock *clock;
	uint8_t secret[32];
	uint8_t lock[RC_LOCK_KEY_SIZE];
};

/* Nodes of one loop; the directory is made and, by node_free, removed. */
void node_init(struct test_node *n, struct rc_loop *loop, const char *name);
/* On another network than reg, with a clock of the test's. */
void node_init_on(struct test_node *n, struct rc_loop *loop, const char *name,
		  const struct rc_network *network, const struct rc_clock *clock);
void node_free(struct test_node *n);
/* chaind ends in order, or as if killed; starts again on the same directory. */
void node_stop_chaind(struct test_node *n);
void node_start_chaind(struct test_node *n);

/* Turns the loop until cond holds; fails the test after 30 seconds. */
void node_wait(struct rc_loop *loop, bool (*cond)(void *arg), void *arg, const char *what);
void node_wait_height(struct test_node *n, uint32_t height);
void node_wait_idle(struct test_node *n);
uint32_t node_tip_height(struct test_node *n);
struct block_node *node_tip(struct test_node *n);

void node_generate(struct test_node *n, uint32_t blocks);
/* The bytes of a stored block. */
void node_body(struct test_node *n, const struct block_node *node, struct rc_buf *ret);
/* Submits, waits for the verdict. */
enum rc_verdict node_submit_block(struct test_node *n, const struct rc_buf *raw, bool wait);
enum rc_verdict node_submit_tx(struct test_node *n, const struct rc_buf *raw, uint64_t peer,
			       struct admit_result *ret_result);
/* What admit_submit told, last and how often; node_is_told: ever. */
struct node_told {
	unsigned n;
	int err;
	enum rc_verdict verdict;
};
void node_tell_tx(void *arg, const struct admit_result *result);
bool node_is_told(void *arg);
/* Hands all blocks of from's active chain above a height to n, in order. */
void node_feed(struct test_node *n, struct test_node *from, uint32_t above);

/* The coinbase's output of the active block at a height. */
void node_coinbase(struct test_node *n, uint32_t height, struct rc_outpoint *ret_outpoint,
		   struct rc_coin *ret_coin);
/* A payment of one coin to the node's own lock, n_outputs equal parts; signed. */
void node_pay(struct test_node *n, const struct rc_outpoint *outpoint, const struct rc_coin *coin,
	      rc_amount fee, uint32_t n_outputs, struct rc_buf *ret_raw);
/* An output of a payment made by node_pay, as a coin of this height. */
void node_output(const struct rc_buf *raw, uint32_t index, uint32_t height,
		 struct rc_outpoint *ret_outpoint, struct rc_coin *ret_coin);

#endif
