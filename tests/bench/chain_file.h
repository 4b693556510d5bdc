/* A chain that make_chain wrote: for each block from height 1 on u32 LE length ‖ its encoding. */
#ifndef BENCH_CHAIN_FILE_H
#define BENCH_CHAIN_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"

struct chain_file {
	const uint8_t *data; /* the file, mapped: pages are read as they are looked at */
	size_t len;
	size_t *at;	 /* of block h: at[h − 1], where its encoding begins */
	uint32_t height; /* of the last block */
};

/* Dies if the file isn't there or isn't whole. */
void chain_file_open(struct chain_file *file, const char *path);
void chain_file_close(struct chain_file *file);

/* The block at a height from 1 on; dies if there is none. */
struct rc_bytes chain_file_block(const struct chain_file *file, unsigned long height);

#endif
