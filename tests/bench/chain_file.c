/* Reading a chain's file. See chain_file.h. */
#include "tests/bench/chain_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/num.h"
#include "tests/bench/driver.h"

void chain_file_open(struct chain_file *file, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	size_t cap = 0;

	*file = (struct chain_file){.len = 0};
	if (fd < 0 || fstat(fd, &st))
		driver_die("%s: %s", path, strerror(errno));
	file->len = (size_t)st.st_size;
	file->data = mmap(NULL, file->len, PROT_READ, MAP_PRIVATE, fd, 0);
	if (file->data == MAP_FAILED)
		driver_die("%s: %s", path, strerror(errno));
	close(fd);
	for (size_t at = 0; at < file->len;) {
		if (file->len - at < 4 || file->len - at - 4 < rc_get_le32(file->data + at))
			driver_die("%s: ends in the middle of a block", path);
		if (file->height == cap) {
			cap = cap ? 2 * cap : 256;
			file->at = rc_realloc_array(file->at, cap, sizeof(*file->at));
		}
		file->at[file->height++] = at + 4;
		at += 4 + (size_t)rc_get_le32(file->data + at);
	}
}

void chain_file_close(struct chain_file *file)
{
	if (file->data)
		munmap((void *)(uintptr_t)file->data, file->len);
	free(file->at);
	*file = (struct chain_file){.len = 0};
}

struct rc_bytes chain_file_block(const struct chain_file *file, unsigned long height)
{
	size_t at;

	if (height < 1 || height > file->height)
		driver_die("the chain's file has blocks 1 to %u, not %lu", file->height, height);
	at = file->at[height - 1];
	return (struct rc_bytes){file->data + at, rc_get_le32(file->data + at - 4)};
}
