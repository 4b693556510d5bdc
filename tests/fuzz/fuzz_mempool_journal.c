/* A damaged journal of the pool: every record that is accepted is one we would write. */
#include <stdint.h>
#include <string.h>

#include "daemons/chaind/journal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
	const uint8_t *start;
	size_t n;
};

static void on_record(void *arg, const struct journal_record *record)
{
	struct seen *seen = arg;
	struct rc_buf again = RC_BUF_INIT;
	const uint8_t *head = record->tx - JOURNAL_RECORD_HEAD - 9;

	journal_record_put(&again, record);
	/* Flags that mean nothing yet are ignored; everything else is the one encoding. */
	if (record->tx_len > JOURNAL_TX_MAX || head < seen->start ||
	    again.len != JOURNAL_RECORD_HEAD + 9 + record->tx_len ||
	    memcmp(again.data, head, 8) != 0)
		__builtin_trap();
	rc_buf_done(&again);
	seen->n++;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct journal_parsed parsed;
	struct rc_hash network = {{0}};
	struct seen seen = {data, 0};
	struct rc_error error;

	if (size >= JOURNAL_HEAD_SIZE)
		memcpy(network.b, data + 5, sizeof(network.b));
	if (journal_parse(data, size, &network, on_record, &seen, &parsed, &error) != RC_OK) {
		if (seen.n)
			__builtin_trap();
		return 0;
	}
	if (seen.n != parsed.records || parsed.good_len > size ||
	    parsed.torn != (parsed.good_len < size))
		__builtin_trap();
	return 0;
}
