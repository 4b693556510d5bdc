/* A block in the making: a template's parts, with a coinbase that pays the miner. */
#ifndef MINER_JOB_H
#define MINER_JOB_H

#include <jansson.h>

#include "base/buf.h"
#include "base/err.h"
#include "consensus/pow.h"
#include "types/header.h"
#include "types/lock.h"

struct job {
	struct rc_header header;
	struct rc_u256 target;
	struct rc_buf txs; /* the coinbase, then the template's, encoded */
	uint32_t n_txs;
	uint32_t max_time;
	char longpollid[129];
};

/* From getblocktemplate's answer. RC_EFORMAT with what is wrong with it. */
int job_make(const json_t *template, const uint8_t lock[RC_LOCK_KEY_SIZE], struct job *ret,
	     struct rc_error *error);
void job_done(struct job *job);

/* The whole block with this nonce, in hex; the caller frees it. */
char *job_block_hex(const struct job *job, uint64_t nonce);

#endif
