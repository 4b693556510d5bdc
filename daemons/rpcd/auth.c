/* Cookie and rpcauth: read, compared in constant time, failures slowed. */
#include "daemons/rpcd/auth.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/mem.h"
#include "base/num.h"
#include "crypto/hmac.h"

#define COOKIE_USER	 "__cookie__"
#define COOKIE_SECRET	 32  /* bytes of randomness */
#define CREDENTIAL_MAX	 512 /* user:password; longer ones are nobody's */
#define SALT_MAX	 128
#define FAILURE_FIRST_MS 100
#define FAILURE_MAX_MS	 5000
#define FAILURE_SPAN_US	 INT64_C(60000000)

struct user {
	char *name;
	char salt[SALT_MAX + 1];
	uint8_t hash[32];
	enum rpc_class class;
};

struct auth {
	struct user *users;
	size_t n_users;
	char *cookie_path;
	bool has_cookie;
	uint8_t key[32];	/* of this run: credentials are compared by their MACs */
	uint8_t cookie_mac[32]; /* of "user:password" */
	uint32_t failures;
	int64_t last_failure_us;
};

static bool equal(const uint8_t a[32], const uint8_t b[32])
{
	uint8_t differ = 0;

	for (int i = 0; i < 32; i++)
		differ |= a[i] ^ b[i];
	return !differ;
}

static bool parse_class(const char *text, enum rpc_class *ret)
{
	for (enum rpc_class c = RPC_READ; c <= RPC_ADMIN; c++)
		if (!strcmp(text, rpc_class_name(c))) {
			*ret = c;
			return true;
		}
	return false;
}

static bool parse_line(const char *line, struct user *ret)
{
	const char *colon = strchr(line, ':');
	const char *dollar = colon ? strchr(colon, '$') : NULL;
	struct user user = {.class = RPC_ADMIN};
	RC_AUTOFREE char *hash = NULL;
	char *class;

	if (!dollar || colon == line || dollar == colon + 1 || dollar - colon - 1 > SALT_MAX)
		return false;
	hash = rc_strdup(dollar + 1);
	class = strchr(hash, ':');
	if (class) {
		*class ++ = '\0';
		if (!parse_class(class, &user.class))
			return false;
	}
	if (!rc_hex_decode(hash, user.hash, sizeof(user.hash)))
		return false;
	memcpy(user.salt, colon + 1, (size_t)(dollar - colon - 1));
	user.name = rc_strdup(line);
	user.name[colon - line] = '\0';
	*ret = user;
	return true;
}

static void users_free(struct user *users, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(users[i].name);
	free(users);
}

int auth_reload(struct auth *auth, const char *const *lines, size_t n_lines, struct rc_error *error)
{
	struct user *users = rc_alloc_array(n_lines, sizeof(*users));

	for (size_t i = 0; i < n_lines; i++)
		if (!parse_line(lines[i], &users[i])) {
			users_free(users, i);
			return rc_error_set(error, RC_ECONFIG,
					    "rpcauth: entry %zu isn't user:salt$hash (64 digits), "
					    "with :read, :submit or :admin after it or nothing",
					    i + 1);
		}
	users_free(auth->users, auth->n_users);
	auth->users = users;
	auth->n_users = n_lines;
	return RC_OK;
}

static void mac_of(const struct auth *auth, const char *credential, size_t len, uint8_t ret[32])
{
	rc_hmac_sha256(auth->key, sizeof(auth->key), credential, len, ret);
}

static int renew_cookie(struct auth *auth, const struct rc_random *random, struct rc_error *error)
{
	uint8_t secret[COOKIE_SECRET];
	char text[sizeof(COOKIE_USER) + 1 + 2 * COOKIE_SECRET];
	size_t at = strlen(COOKIE_USER);
	int err;

	rc_random_fill(random, secret, sizeof(secret));
	memcpy(text, COOKIE_USER ":", at + 1);
	rc_hex_encode(text + at + 1, secret, sizeof(secret));
	err = rc_file_replace(auth->cookie_path, text, strlen(text), 0600, error);
	if (err == RC_OK) {
		mac_of(auth, text, strlen(text), auth->cookie_mac);
		auth->has_cookie = true;
	}
	rc_wipe(secret, sizeof(secret));
	rc_wipe(text, sizeof(text));
	return err;
}

int auth_open(const char *cookie_path, const char *const *lines, size_t n_lines,
	      const struct rc_random *random, struct auth **ret, struct rc_error *error)
{
	struct auth *auth = rc_alloc(sizeof(*auth));
	int err;

	rc_random_fill(random, auth->key, sizeof(auth->key));
	err = auth_reload(auth, lines, n_lines, error);
	if (err == RC_OK && cookie_path) {
		auth->cookie_path = rc_strdup(cookie_path);
		err = renew_cookie(auth, random, error);
	}
	if (err < 0) {
		auth_close(auth);
		return err;
	}
	*ret = auth;
	return RC_OK;
}

void auth_close(struct auth *auth)
{
	if (!auth)
		return;
	if (auth->has_cookie)
		unlink(auth->cookie_path);
	users_free(auth->users, auth->n_users);
	free(auth->cookie_path);
	rc_wipe(auth, sizeof(*auth));
	free(auth);
}

/* Compares with the cookie and with every user, without an early end. */
static bool check_credential(const struct auth *auth, const char *text, size_t len,
			     enum rpc_class *ret_class)
{
	const char *colon = memchr(text, ':', len);
	size_t name_len = colon ? (size_t)(colon - text) : len;
	uint8_t mac[32];
	bool good = false;

	mac_of(auth, text, len, mac);
	if (equal(mac, auth->cookie_mac) && auth->has_cookie) {
		*ret_class = RPC_ADMIN;
		good = true;
	}
	for (size_t i = 0; colon && i < auth->n_users; i++) {
		const struct user *user = &auth->users[i];
		bool named = strlen(user->name) == name_len && !memcmp(user->name, text, name_len);

		rc_hmac_sha256(user->salt, strlen(user->salt), colon + 1, len - name_len - 1, mac);
		if (equal(mac, user->hash) && named) {
			*ret_class = user->class;
			good = true;
		}
	}
	return good;
}

bool auth_check(const struct auth *auth, const char *header, enum rpc_class *ret_class)
{
	uint8_t text[CREDENTIAL_MAX] = {0};
	size_t len = 0;
	bool good = false;

	if (header && !strncasecmp(header, "Basic ", 6) &&
	    rc_base64_decode(header + 6, strlen(header + 6), text, sizeof(text), &len))
		good = check_credential(auth, (const char *)text, len, ret_class);
	rc_wipe(text, sizeof(text));
	return good;
}

uint32_t auth_failed(struct auth *auth, int64_t now_us)
{
	uint32_t ms = FAILURE_FIRST_MS;

	if (now_us - auth->last_failure_us > FAILURE_SPAN_US)
		auth->failures = 0;
	auth->last_failure_us = now_us;
	for (uint32_t i = 0; i < auth->failures && ms < FAILURE_MAX_MS; i++)
		ms *= 2;
	auth->failures++;
	return ms < FAILURE_MAX_MS ? ms : FAILURE_MAX_MS;
}
