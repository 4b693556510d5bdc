/* Memory for secrets, and passphrases from a terminal or a descriptor. */
#ifndef WALLET_SECRET_H
#define WALLET_SECRET_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

#define PASSPHRASE_MAX 1024 /* bytes */

/* No core dump, no ptrace by others of this user; Jansson's memory, through which printed words go,
 * is wiped when it is freed, and so is what stdout buffers (secret_flush): before the first secret.
 */
void secret_protect_process(void);
/* Flushes stdout and wipes its buffer; 0, or EOF as fflush. */
int secret_flush(void);

/* Zeroed pages of their own: not swapped (as far as the limit of locked memory allows), not in a
 * core dump, wiped in a child. */
void *secret_alloc(size_t size);
/* Wipes and frees. NULL is fine. */
void secret_free(void *secret, size_t size);

/*
 * A line of text into buf of size bytes, without its newline. fd ≥ 0: read from that descriptor up
 * to a newline or the end; else asked for at the terminal: prompt, and no echo if hidden.
 * RC_ETOOBIG if it doesn't fit, RC_EINVAL if there is none or it holds a zero byte.
 */
int secret_read_line(int fd, const char *prompt, bool hidden, char *buf, size_t size,
		     struct rc_error *error);

/* As above; asked twice at the terminal, which must agree. At least one byte. */
int secret_read_new_passphrase(int fd, char buf[PASSPHRASE_MAX], struct rc_error *error);

#endif
