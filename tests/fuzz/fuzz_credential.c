/* Who asks the API: the header Authorization, a line of rpcauth, and the file with a cookie that
 * tools read. First byte which one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/mem.h"
#include "client/jsonrpc.h"
#include "daemons/rpcd/auth.h"

#define PASSWORD   "u:x"
#define COOKIE_MAX 1024

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The password is "x". */
static const char *const user =
	"u:73616c74$2032ab8d50387d4ca05bd3aed62047a629af8a41067e6da823f0efd18f85f809";
static struct auth *auth;
static char cookie_path[32];
static int cookie;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	cookie = memfd_create("cookie", MFD_CLOEXEC);
	snprintf(cookie_path, sizeof(cookie_path), "/proc/self/fd/%d", cookie);
	if (cookie < 0 || auth_open(NULL, &user, 1, &rc_random_system, &auth, NULL) != RC_OK)
		abort();
	return 0;
}

/* One text is let in; but for what follows "Basic", base64 has one form. */
static void check_header(const char *text)
{
	size_t len = strlen(text), n;
	uint8_t plain[512];
	char again[RC_BASE64_LEN(sizeof(plain)) + 1];
	enum rpc_class class;
	bool right = false;

	if (len > 6 && rc_base64_decode(text + 6, len - 6, plain, sizeof(plain), &n)) {
		right = n == strlen(PASSWORD) && !memcmp(plain, PASSWORD, n);
		if (strcmp(rc_base64_encode(again, plain, n), text + 6) != 0)
			abort();
	}
	if (auth_check(auth, text, &class) && (!right || class != RPC_ADMIN))
		abort();
}

static void check_line(const char *text)
{
	const char *colon = strchr(text, ':'), *hash = colon ? strchr(colon, '$') : NULL;
	enum rpc_class class;

	if (auth_reload(auth, &text, 1, NULL) != RC_OK)
		return;
	if (!hash || strspn(hash + 1, "0123456789abcdefABCDEF") != 64 || colon == text)
		abort();
	auth_check(auth, "Basic dTp4", &class);
	if (auth_reload(auth, &user, 1, NULL) != RC_OK)
		abort();
}

static void check_cookie(const uint8_t *data, size_t size)
{
	struct rc_jsonrpc_where where = {.url = "unix:/nowhere", .cookie = cookie_path};
	struct rc_jsonrpc *client;

	if (ftruncate(cookie, 0) < 0 || pwrite(cookie, data, size, 0) != (ssize_t)size)
		abort();
	if (rc_jsonrpc_open(&where, &client, NULL) != RC_OK)
		return;
	if (size > COOKIE_MAX || !memchr(data, ':', size))
		abort();
	rc_jsonrpc_close(client);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	RC_AUTOFREE char *text = NULL;

	if (!size)
		return 0;
	text = rc_alloc(size);
	memcpy(text, data + 1, size - 1);
	switch (data[0] % 3) {
	case 0:
		check_header(text);
		break;
	case 1:
		check_line(text);
		break;
	case 2:
		check_cookie(data + 1, size - 1);
		break;
	}
	return 0;
}
