/* A proof from anybody, of the state or of inclusion: checking ends, and leaves can be walked. */
#include <stdint.h>
#include <string.h>

#include "consensus/merkle.h"
#include "consensus/proof.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first 32 bytes are the root it is checked against. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rc_hash root;
	struct rc_txid txid;
	struct rc_proof proof;
	struct rc_bytes value;
	const uint8_t *key;
	uint32_t index;
	size_t n = 0;

	if (size < 32)
		return 0;
	memcpy(root.b, data, 32);
	memcpy(txid.b, data, 32);
	rc_inclusion_check(data + 32, size - 32, &txid, &root, &index);
	if (rc_proof_check(data + 32, size - 32, NULL, &root, &proof) != RC_VERDICT_OK)
		return 0;
	if (rc_proof_check(data + 32, size - 32, &proof.about, &root, &proof) != RC_VERDICT_OK)
		__builtin_trap();
	while (rc_proof_next(&proof, &key, &value))
		n++;
	if (n != proof.n_leaves)
		__builtin_trap();
	return 0;
}
