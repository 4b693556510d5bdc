/*
 * How peers behave and what follows: points by one table (score.def), discouraged addresses, and
 * the bans of operators with their file. Pure.
 */
#ifndef PEERD_CONDUCT_H
#define PEERD_CONDUCT_H

#include <stdbool.h>
#include <stdint.h>

#include <uthash.h>

#include "base/buf.h"
#include "base/err.h"
#include "daemons/peerd/netaddr.h"

#define SCORE_LIMIT	       100
#define SCORE_DECAY_PER_MINUTE 1

struct score_row {
	const char *what;
	unsigned points;
	const char *why;
};
/* The row for a behaviour or an invalid verdict; there always is one. */
const struct score_row *score_find(const char *what);
const struct score_row *score_rows(size_t *ret_count);

/* Points of one peer, in sixtieths so that decay is exact. */
struct score {
	uint64_t points60;
	int64_t since_s;
};
unsigned score_points(const struct score *score, int64_t now_s);
/* True when the limit is reached. */
bool score_add(struct score *score, unsigned points, int64_t now_s);

/*
 * Addresses that behaved badly: for 24 hours they aren't dialled and lose inbound slots first. Of
 * public IPv6 the /64 counts, which is the least that one party has: else it had 2^64 addresses to
 * misbehave from. An address on loopback counts with its port. Kept apart from the bans of
 * operators: not listed, not stored, lifted by time alone.
 *
 * At most DISCOURAGED_MAX, about 7 MB with the table; the oldest goes first. Who wants to be
 * forgotten must have as many others discouraged, each by a handshake and a misdeed of its own.
 */
#define DISCOURAGED_MAX	    50000
#define DISCOURAGED_SECONDS (24 * 60 * 60)
struct discouraged;
struct discouraged *discouraged_new(void);
void discouraged_free(struct discouraged *d);
void discouraged_add(struct discouraged *d, const struct net_addr *addr, int64_t now_s);
bool discouraged_has(struct discouraged *d, const struct net_addr *addr, int64_t now_s);
void discouraged_clear(struct discouraged *d);
size_t discouraged_count(const struct discouraged *d);

/* Bans: an operator's word, listed, kept over restarts. Times in seconds since 1970. */
#define BAN_SECONDS    (24 * 60 * 60)
#define BANS_MAX       10000
#define BAN_REASON_MAX 120
struct ban {
	struct net_subnet subnet;
	uint64_t created;
	uint64_t until;
	char reason[BAN_REASON_MAX + 1];
};
struct bans {
	struct ban *list;
	size_t n, cap;
	uint64_t changes;
};
void bans_done(struct bans *bans);
/* RC_EEXIST if there is one of this subnet already, RC_ERANGE if until has passed, RC_ETOOBIG
 * beyond BANS_MAX. */
int bans_add(struct bans *bans, const struct net_subnet *subnet, uint64_t until, const char *reason,
	     uint64_t now, struct rc_error *error);
/* RC_ENOENT if there is none. */
int bans_remove(struct bans *bans, const struct net_subnet *subnet);
void bans_clear(struct bans *bans);
/* Those that have ended are forgotten first. */
void bans_sweep(struct bans *bans, uint64_t now);
bool bans_has(const struct bans *bans, const struct net_addr *addr, uint64_t now);

/*
 * The file: "RCBANLST" | version u16 = 1 | n u32 | n × { ip 16 | bits u8 | created u64 | until u64
 * | u8 length, reason } | SHA256 of all before. Entries ascend by ip ‖ bits; what is beyond the
 * mask is zero.
 */
#define BANS_FILE_VERSION 1
#define BANS_FILE_MAX	  (8 + 2 + 4 + BANS_MAX * (16 + 1 + 8 + 8 + 1 + BAN_REASON_MAX) + 32)
void bans_encode(const struct bans *bans, struct rc_buf *buf);
int bans_decode(const void *data, size_t len, struct bans *ret_bans, struct rc_error *error);

#endif
