/*
 * Verifying: every value on the disk against the root, by proofs. The state is taken in pieces,
 * each proven from the version that is the tip then and checked as a light client would, so that no
 * version is held for longer than one piece takes and memory doesn't grow with the time it takes.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemons/utxod/ledger_internal.h"

/* Leaves of a piece: half a megabyte. */
#define PIECE_LEAVES 4096
/* Pieces to come: each branch that is opened leaves one for later. */
#define PIECES (8 * RC_STATE_KEY_MAX + 2)

struct verifier {
	struct ledger *ledger;
	const struct ledger_view *fixed;
	struct rc_proof_question todo[PIECES];
	size_t n_todo;
	struct rc_buf proof;
	uint64_t first, last; /* versions of the pieces, from 1 */
	struct ledger_verified *ret;
	struct rc_error *error;
};

/* Entries with the opened branch's path and then this bit. */
static void add_side(struct verifier *v, const struct rc_proof *proof, unsigned bit)
{
	struct rc_proof_question *q = &v->todo[v->n_todo++];
	unsigned at = proof->branch_depth;

	*q = (struct rc_proof_question){.ns = proof->about.ns, .bits = (uint16_t)(at + 1)};
	memcpy(q->prefix, proof->branch_path, (at + 7) / 8);
	if (bit)
		q->prefix[at / 8] |= (uint8_t)(0x80 >> at % 8);
}

static void bad(struct verifier *v, const char *text)
{
	v->ret->good = false;
	snprintf(v->ret->text, sizeof(v->ret->text), "%s", text);
}

static int check_piece(struct verifier *v, const struct ledger_view *view,
		       const struct rc_proof_question *q)
{
	struct rc_proof proof;
	struct rc_hash root;
	char text[128];
	int err;

	if (!v->first)
		v->first = view->version->seq + 1;
	v->last = view->version->seq + 1;
	v->ret->of = view->version->coins + view->version->entries;
	ledger_view_block(view, &v->ret->block);
	ledger_view_root(view, &root);
	rc_buf_clear(&v->proof);
	err = ledger_prove(view, q, false, PIECE_LEAVES, &v->proof, v->error);
	if (err == RC_EFORMAT)
		bad(v, v->error->text);
	if (err)
		return err == RC_EFORMAT ? RC_OK : err;
	if (rc_proof_check(v->proof.data, v->proof.len, q, &root, &proof) != RC_VERDICT_OK) {
		snprintf(text, sizeof(text),
			 "namespace %u: its leaves under a prefix of %u bits don't give its root",
			 q->ns, q->bits);
		bad(v, text);
	} else if (proof.answer == RC_PROOF_TOTAL) {
		add_side(v, &proof, 1);
		add_side(v, &proof, 0);
	} else if (proof.answer == RC_PROOF_LEAVES) {
		v->ret->entries += proof.n_leaves;
	}
	return RC_OK;
}

static int next_piece(struct verifier *v)
{
	struct rc_proof_question q = v->todo[--v->n_todo];
	struct ledger_view view;
	int err;

	/* What is on the disk is to be seen, not what was read from there long ago. */
	if (v->fixed) {
		view = *v->fixed;
		ledger_view_from_disk(&view);
		return check_piece(v, &view, &q);
	}
	err = ledger_view_tip(v->ledger, &view);
	if (err)
		return rc_error_set(v->error, err, "the tip's root isn't there");
	ledger_view_from_disk(&view);
	err = check_piece(v, &view, &q);
	ledger_view_close(&view);
	return err;
}

int ledger_verify(struct ledger *ledger, const struct ledger_view *view,
		  bool (*progress)(void *arg, uint64_t done, uint64_t of), void *arg,
		  struct ledger_verified *ret, struct rc_error *error)
{
	struct verifier *v = rc_alloc(sizeof(*v));
	struct rc_error local;
	int err = RC_OK;

	*v = (struct verifier){
		.ledger = ledger, .fixed = view, .ret = ret, .error = error ? error : &local};
	*ret = (struct ledger_verified){.good = true};
	for (unsigned ns = TREE_NAMESPACES; ns > 0; ns--)
		v->todo[v->n_todo++] = (struct rc_proof_question){.ns = (uint8_t)ns};
	while (!err && ret->good && v->n_todo) {
		err = next_piece(v);
		if (!err && progress && !progress(arg, ret->entries, ret->of))
			err = RC_ECANCELLED;
	}
	/* What came and went between two pieces isn't counted. */
	if (!err && ret->good && v->first == v->last && ret->entries != ret->of) {
		snprintf(ret->text, sizeof(ret->text),
			 "the tree has %" PRIu64 " entries, counted were %" PRIu64, ret->entries,
			 ret->of);
		ret->good = false;
	}
	rc_buf_done(&v->proof);
	free(v);
	return err;
}
