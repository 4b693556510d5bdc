/*
 * Loaded before a program (LD_PRELOAD): looks at each block that is freed for what might be a
 * wallet's words, ten of small letters in a row, and writes into the file WATCH_FREE what it saw.
 */
#include <fcntl.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void __libc_free(void *p);
void free(void *p);

static int out = -1;

__attribute__((constructor)) static void begin(void)
{
	out = open(getenv("WATCH_FREE"), O_WRONLY | O_CREAT | O_APPEND, 0600);
	if (write(out, "watching\n", 9) != 9)
		abort();
}

static int holds_words(const char *text, size_t len)
{
	int words = 0, letters = 0;

	for (size_t i = 0; i < len; i++) {
		if (text[i] >= 'a' && text[i] <= 'z') {
			letters++;
		} else if (text[i] == ' ' && letters >= 3 && letters <= 8) {
			letters = 0;
			if (++words == 10)
				return 1;
		} else {
			words = letters = 0;
		}
	}
	return 0;
}

void free(void *p)
{
	if (p && out >= 0 && holds_words(p, malloc_usable_size(p)) &&
	    write(out, "words in a freed block\n", 23) != 23)
		abort();
	__libc_free(p);
}
