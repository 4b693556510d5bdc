/* Locks, transactions, headers in JSON. Numbers a script may overflow on are text. */
#include "daemons/rpcd/show.h"

#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "consensus/pow.h"
#include "consensus/tx_type.h"
#include "types/address.h"

static const char *lock_kind_name(uint8_t kind)
{
	switch ((enum rc_lock_kind)kind) {
	case RC_LOCK_KEY:
		return "key";
	case RC_LOCK_DATA:
		return "data";
	case RC_LOCK_BOND:
		return "bond";
	case RC_LOCK_PEG:
		break;
	}
	return "peg";
}

void show_lock(struct json_out *out, const char *key, const struct rc_network *network,
	       const struct rc_lock *lock)
{
	char address[RC_ADDRESS_SIZE];

	out_object(out, key);
	out_text(out, "type", lock_kind_name(lock->kind));
	out_hex(out, "hex", lock->data, lock->len);
	if (lock->kind == RC_LOCK_KEY) {
		rc_address_encode(network->params.hrp, rc_lock_key(lock), address);
		out_plain(out, "address", address, strlen(address));
	}
	out_object_end(out);
}

static void show_input(struct json_out *out, const struct rc_tx_in *in)
{
	struct rc_witness_iter it = rc_witness_iter_of(in);
	struct rc_bytes item;

	out_object(out, NULL);
	out_id(out, "txid", in->prevout.txid.b);
	out_uint(out, "vout", in->prevout.index);
	out_uint(out, "sequence", in->sequence);
	out_array(out, "witness");
	while (rc_witness_next(&it, &item))
		out_hex(out, NULL, item.data, item.len);
	out_array_end(out);
	out_object_end(out);
}

void show_tx(struct json_out *out, const struct rc_network *network, const struct rc_tx *tx)
{
	const struct rc_tx_type *type = rc_tx_type_find(tx->type);

	out_id(out, "txid", tx->txid.b);
	out_id(out, "wtxid", tx->wtxid.b);
	out_uint(out, "version", tx->version);
	out_uint(out, "type", tx->type);
	if (type)
		out_text(out, "typename", type->name);
	out_uint(out, "size", tx->raw.len);
	out_uint(out, "locktime", tx->lock_time);
	out_array(out, "vin");
	for (uint32_t i = 0; i < tx->n_inputs; i++)
		show_input(out, &tx->inputs[i]);
	out_array_end(out);
	out_array(out, "vout");
	for (uint32_t i = 0; i < tx->n_outputs; i++) {
		out_object(out, NULL);
		out_uint(out, "n", i);
		out_amount(out, "value", tx->outputs[i].amount);
		show_lock(out, "lock", network, &tx->outputs[i].lock);
		out_object_end(out);
	}
	out_array_end(out);
	out_hex(out, "payload", tx->payload.data, tx->payload.len);
}

/* For display alone: four limbs as one number. */
static double approximate(const struct rc_u256 *a)
{
	double v = 0;

	for (int i = 3; i >= 0; i--)
		v = v * 18446744073709551616.0 + (double)a->w[i];
	return v;
}

void show_difficulty(struct json_out *out, const char *key, const struct rc_network *network,
		     uint32_t bits)
{
	struct rc_u256 target;
	char text[64];
	int n;

	if (!rc_bits_target(bits, &target)) {
		out_null(out, key);
		return;
	}
	n = snprintf(text, sizeof(text), "%.10g",
		     approximate(&network->limit) / approximate(&target));
	out_raw(out, key, text, (size_t)n);
}

void show_bits(struct json_out *out, const struct rc_network *network, uint32_t bits)
{
	struct rc_u256 target;
	char hex[65];

	out_textf(out, "bits", "%08x", bits);
	if (rc_bits_target(bits, &target))
		out_text(out, "target", rc_u256_hex(hex, &target));
	show_difficulty(out, "difficulty", network, bits);
}

void show_header(struct json_out *out, const struct rc_network *network,
		 const struct rc_block_id *id, const struct rc_header *header,
		 const struct rc_header_info *info)
{
	out_id(out, "hash", id->b);
	out_int(out, "confirmations", info->confirmations);
	out_text(out, "status", info->status);
	if (info->verdict && *info->verdict)
		out_text(out, "verdict", info->verdict);
	out_uint(out, "height", header->height);
	out_uint(out, "version", header->version);
	out_hex(out, "txroot", header->tx_root.b, 32);
	out_hex(out, "stateroot", header->state_root.b, 32);
	out_uint(out, "time", header->time);
	out_uint(out, "mediantime", info->median_time);
	out_textf(out, "nonce", "%016llx", (unsigned long long)header->nonce);
	show_bits(out, network, header->bits);
	out_hex(out, "chainwork", info->chainwork, 32);
	if (info->transactions) {
		out_uint(out, "nTx", info->transactions);
		out_uint(out, "size", info->size);
	}
	if (header->height)
		out_id(out, "previousblockhash", header->prev.b);
	if (info->has_next)
		out_id(out, "nextblockhash", info->next.b);
}

void show_anchor(struct json_out *out, uint32_t height, const struct rc_block_id *id)
{
	out_object(out, "anchor");
	out_uint(out, "height", height);
	out_id(out, "hash", id->b);
	out_null(out, "locked");
	out_object_end(out);
}
