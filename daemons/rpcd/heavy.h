/*
 * Heavy calls: those whose part in this process's memory may be large while they go on, because a
 * daemon answers much at once or an answer is put together from many. Only as many of them go on as
 * have room together, in lanes by the daemons they ask, so that one that is away keeps up its own;
 * the others wait, first come first served, and have asked nobody anything yet.
 *
 * What rpcd may take in all, in MiB, by the defaults of its options; the unit's MemoryMax is 2,048.
 * Nothing of it waits for who is slow without being counted here:
 *
 *	bodies as they come: three of rpc_body_mb (http.c)			192
 *	what is made of them while the calls go on (http.c, rpc_weight)		192
 *	  and Jansson's buffer while it reads one				 64
 *	answers that wait for their readers: users' three quarters of
 *	  rpc_answers_mb, and an operator's that is alone			192 + 320
 *	  and one that is being made, before it is counted			320
 *	heavy calls (the lanes), and the message that is turned into JSON	260 + 33
 *	templates on their own connection: one being turned into JSON, two
 *	  that libzmq holds (backends.c): 46 each, and 48 as structs		186
 *	block_cache_mb, headers, buffers used again (known.c, room.h)		 50
 *	connections: rpc_connections of 33 KiB, on TCP and on Unix (http.c)	 34
 *	  and what the kernel keeps of answers for them (listen.c)		 64
 *	  and for a few of them, 20 of 4 MiB (http.c)				 80
 *	code, libraries, threads, figures of the other daemons			 40
 *	together								2,027
 *
 * 320 is the largest answer: a block of 32,000,000 bytes in full, if it is of the smallest outputs
 * only, whose JSON has ten times their bytes; a usual one has 160.
 */
#ifndef RPCD_HEAVY_H
#define RPCD_HEAVY_H

#include "daemons/rpcd/rpcd.h"

enum heavy_kind {
	HEAVY_BLOCK,	/* also a block's transaction */
	HEAVY_POOL_TX,	/* a transaction of the pool */
	HEAVY_POOL_IDS, /* all of the pool */
	HEAVY_POOL,	/* with what is known of each */
	HEAVY_TIPS,	/* the ends of branches */
	HEAVY_BALANCE,	/* of addresses */
	HEAVY_COINS,	/* of addresses, one by one */
	HEAVY_PEERS,	/* a list of peerd's */
	HEAVY_KEPT,	/* heavy_kept */
};

struct heavy;

struct heavy *heavy_new(struct rpcd *rpcd);
/* Who waits is told that rpcd stops, as is who comes later. */
void heavy_close(struct heavy *heavy);
void heavy_free(struct heavy *heavy); /* NULL is fine */

/*
 * Before a handler asks for much: true: go on, the call has room until it ends. False: return; the
 * handler is called again from its beginning when there is room, or the call fails when none has
 * come for as long as its method may take (call_deadline).
 */
bool heavy_enter(struct rpc_call *call, enum heavy_kind kind);
/* As heavy_enter, for an answer that is made here and now of so many bytes: a turn of the loop
 * makes a few, so that others have theirs between them. */
bool heavy_kept(struct rpc_call *call, size_t bytes);

#endif
