/* See socks.h. */
#include "daemons/peerd/socks.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/num.h"

#define VERSION	     5
#define AUTH_VERSION 1
#define CONNECT	     1
enum method { METHOD_NONE = 0, METHOD_PASSWORD = 2, METHOD_REFUSED = 0xff };
enum kind { KIND_IPV4 = 1, KIND_NAME = 3, KIND_IPV6 = 4 };

/*
 * Replies of RFC 1928, 6; whose fault each is. All but one are answers to this address, be it the
 * failure 1 (Tor: a circuit broke) or the rules of 2 (Tor: no exit allows this port): were they the
 * proxy's, whoever tells such addresses could stop all dials. That the proxy makes no connections
 * is so for any.
 */
static const struct {
	const char *why;
	enum socks_step step;
} replies[] = {
	{NULL, SOCKS_DONE},
	{"the proxy failed", SOCKS_NO_PEER},
	{"the proxy's rules don't allow it", SOCKS_NO_PEER},
	{"proxy: no route to its network", SOCKS_NO_PEER},
	{"proxy: no route to it", SOCKS_NO_PEER},
	{"proxy: it refused the connection", SOCKS_NO_PEER},
	{"proxy: no answer from it", SOCKS_NO_PEER},
	{"the proxy makes no connections", SOCKS_NO_PROXY},
	{"the proxy doesn't know this kind of address", SOCKS_NO_PEER},
};

static void put(struct socks *s, const void *data, size_t len)
{
	assert(s->out_len + len <= sizeof(s->out));
	memcpy(s->out + s->out_len, data, len);
	s->out_len += len;
}

static void put_u8(struct socks *s, uint8_t byte)
{
	put(s, &byte, 1);
}

static void await(struct socks *s, enum socks_part part, size_t bytes)
{
	s->part = part;
	s->have = 0;
	s->want = bytes;
}

static enum socks_step end(struct socks *s, enum socks_step step, const char *why)
{
	s->step = step;
	s->why = why;
	s->want = s->have;
	return step;
}

void socks_begin(struct socks *s, const struct net_addr *target, const char *user,
		 const char *password)
{
	*s = (struct socks){.step = SOCKS_GOING, .target = *target};
	put_u8(s, VERSION);
	if (user && *user) {
		snprintf(s->user, sizeof(s->user), "%s", user);
		snprintf(s->password, sizeof(s->password), "%s", password);
		put_u8(s, 2);
		put_u8(s, METHOD_NONE);
		put_u8(s, METHOD_PASSWORD);
	} else {
		put_u8(s, 1);
		put_u8(s, METHOD_NONE);
	}
	await(s, SOCKS_METHOD, 2);
}

static void ask(struct socks *s)
{
	uint8_t ip[16], port[2] = {(uint8_t)(s->target.port >> 8), (uint8_t)s->target.port};
	size_t len = net_addr_wire(&s->target, ip);

	put_u8(s, VERSION);
	put_u8(s, CONNECT);
	put_u8(s, 0);
	put_u8(s, len == 4 ? KIND_IPV4 : KIND_IPV6);
	put(s, ip, len);
	put(s, port, 2);
	/* Version, reply, zero, kind, and the address's first byte, which of a name is its length.
	 */
	await(s, SOCKS_HEAD, 5);
}

static void log_in(struct socks *s)
{
	put_u8(s, AUTH_VERSION);
	put_u8(s, (uint8_t)strlen(s->user));
	put(s, s->user, strlen(s->user));
	put_u8(s, (uint8_t)strlen(s->password));
	put(s, s->password, strlen(s->password));
	await(s, SOCKS_AUTH, 2);
}

static enum socks_step take_head(struct socks *s)
{
	const uint8_t *in = s->in;
	size_t rest;

	if (in[0] != VERSION || in[1] >= RC_ARRAY_LEN(replies) || in[2] != 0)
		return end(s, SOCKS_NO_PROXY, "it answers as no SOCKS5 proxy does");
	if (in[1] != 0)
		return end(s, replies[in[1]].step, replies[in[1]].why);
	switch (in[3]) {
	case KIND_IPV4:
		rest = 3;
		break;
	case KIND_IPV6:
		rest = 15;
		break;
	case KIND_NAME:
		rest = in[4];
		break;
	default:
		return end(s, SOCKS_NO_PROXY, "it answers as no SOCKS5 proxy does");
	}
	await(s, SOCKS_REST, rest + 2); /* and a port */
	return SOCKS_GOING;
}

/* A part has come whole. */
static enum socks_step take_part(struct socks *s)
{
	const uint8_t *in = s->in;

	switch (s->part) {
	case SOCKS_METHOD:
		if (in[0] != VERSION)
			return end(s, SOCKS_NO_PROXY, "it is no SOCKS5 proxy");
		if (in[1] == METHOD_NONE)
			ask(s);
		else if (in[1] == METHOD_PASSWORD && *s->user)
			log_in(s);
		else
			return end(s, SOCKS_NO_PROXY, "the proxy wants another way to log in");
		return SOCKS_GOING;
	case SOCKS_AUTH:
		if (in[0] != AUTH_VERSION || in[1] != 0)
			return end(s, SOCKS_NO_PROXY, "the proxy refuses user and password");
		ask(s);
		return SOCKS_GOING;
	case SOCKS_HEAD:
		return take_head(s);
	case SOCKS_REST:
		return end(s, SOCKS_DONE, NULL);
	}
	return SOCKS_NO_PROXY;
}

void socks_sent(struct socks *s, size_t n)
{
	assert(n <= s->out_len);
	s->out_len -= n;
	memmove(s->out, s->out + n, s->out_len);
}

size_t socks_wants(const struct socks *s)
{
	return s->want - s->have;
}

enum socks_step socks_take(struct socks *s, const uint8_t *data, size_t len)
{
	assert(s->step == SOCKS_GOING && len > 0 && len <= socks_wants(s));
	/* An answer before the whole question was sent is none. */
	if (s->out_len > 0)
		return end(s, SOCKS_NO_PROXY, "it is no SOCKS5 proxy");
	if (s->part != SOCKS_REST)
		memcpy(s->in + s->have, data, len);
	s->have += len;
	return s->have < s->want ? SOCKS_GOING : take_part(s);
}
