/* See test_point.h. Nothing in it without TEST_POINTS. */
#include "base/test_point.h"

#ifdef TEST_POINTS

#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct page {
	_Atomic uint32_t armed; /* 1 + enum rc_test_point */
	_Atomic uint32_t left;
	_Atomic uint32_t reached[RC_TEST_POINT_COUNT];
};

static struct page *page;

/* Before main: afterwards the daemon may see its own directories only. */
__attribute__((constructor)) static void map_page(void)
{
	const char *path = getenv("RC_TEST_POINTS");
	int fd;

	if (!path)
		return;
	fd = open(path, O_RDWR | O_CLOEXEC);
	page = fd < 0 ? MAP_FAILED
		      : mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (page == MAP_FAILED) {
		perror(path);
		exit(EXIT_FAILURE);
	}
	close(fd);
}

void rc_test_point(enum rc_test_point point)
{
	if (!page)
		return;
	atomic_fetch_add(&page->reached[point], 1);
	if (atomic_load(&page->armed) != point + 1 || atomic_fetch_sub(&page->left, 1) != 1)
		return;
	kill(getpid(), SIGKILL);
	for (;;)
		pause();
}

void rc_test_point_file(const char *path, enum rc_test_point_step step)
{
	static const struct {
		const char *file;
		enum rc_test_point first;
	} files[] = {
#define POINT(name, where)
#define POINT_FILE(name, file, what) {file, RC_TEST_POINT_##name##_MADE},
#include "base/test_points.def"
#undef POINT
#undef POINT_FILE
	};
	const char *slash = strrchr(path, '/');

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		if (!strcmp(files[i].file, slash ? slash + 1 : path))
			rc_test_point(files[i].first + (unsigned)step);
}

#endif
