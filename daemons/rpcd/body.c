/*
 * What a body has and weighs is known before the parser takes memory for it. Jansson takes 14 ns
 * for each byte of a text, that is 0.8 s for the digits of the largest block, in which rpcd would
 * do nothing else: long digits are taken out before it and put in again after it.
 */
#include "daemons/rpcd/body.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/num.h"
#include "daemons/rpcd/rpc.h"

/* A text of digits is long from here on; of more than so many the others are as they are. */
#define LONG_TEXT  1024u
#define LONG_TEXTS 32u
/* Stands for long digits, before their number: a character that is none (Unicode 23.7), which a
 * body for Jansson alone may have. */
#define MARK "\xef\xb7\x90"

struct text {
	const char *at;
	size_t len;
};

struct shape {
	size_t values; /* at least one */
	struct text digits[LONG_TEXTS];
	size_t n_digits;
};

/* Behind a text's closing quote, or the body's end; p is behind the opening one. */
static const char *text_end(const char *p, const char *end)
{
	const char *start = p, *quote;

	while ((quote = memchr(p, '"', (size_t)(end - p)))) {
		const char *q = quote;

		while (q > start && q[-1] == '\\')
			q--;
		p = quote + 1;
		if ((quote - q) % 2 == 0)
			return p;
	}
	return end;
}

/* A name of a member stays: before a colon. */
static bool is_name(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r'))
		p++;
	return p < end && *p == ':';
}

/* Nesting and number of values within bounds? */
static bool look(const char *body, size_t len, struct shape *ret)
{
	const char *end;
	size_t depth = 0;

	ret->values = 1;
	ret->n_digits = 0;
	if (!len)
		return true; /* body may be NULL */
	end = body + len;
	for (const char *p = body; p < end;) {
		char c = *p++;

		if (c == '"') {
			struct text text = {p, 0};

			p = text_end(p, end);
			text.len = p > text.at && p[-1] == '"' ? (size_t)(p - text.at) - 1 : 0;
			if (text.len >= LONG_TEXT && ret->n_digits < LONG_TEXTS &&
			    rc_hex_is(text.at, text.len) && !is_name(p, end))
				ret->digits[ret->n_digits++] = text;
		} else if (c == '[' || c == '{') {
			depth++, ret->values++;
		} else if ((c == ']' || c == '}') && depth) {
			depth--;
		} else if (c == ',') {
			ret->values++;
		}
		if (depth > RPC_DEPTH_MAX || ret->values > RPC_VALUES_MAX)
			return false;
	}
	return true;
}

static size_t weight(size_t len, size_t values)
{
	size_t calls = rc_min_u64(values, RPC_BATCH_MAX);

	return len + len / 2 + values * RPC_VALUE_BYTES + calls * sizeof(struct rpc_call);
}

size_t rpc_weight(const char *body, size_t len)
{
	struct shape shape;

	return look(body, len, &shape) ? weight(len, shape.values) : 0;
}

size_t rpc_weight_max(size_t len)
{
	return weight(len, RPC_VALUES_MAX);
}

/* ---- long digits ---- */

/* The body with marks in their place. False: it has an escape or a mark of its own. */
static bool put_marks(const char *body, size_t len, const struct shape *shape, struct rc_buf *ret)
{
	const char *p = body;

	for (size_t i = 0; i < shape->n_digits; i++) {
		const struct text *t = &shape->digits[i];

		rc_buf_put(ret, p, (size_t)(t->at - p));
		p = t->at + t->len;
	}
	rc_buf_put(ret, p, (size_t)(body + len - p));
	if (memchr(ret->data, '\\', ret->len) || memmem(ret->data, ret->len, MARK, strlen(MARK)))
		return false;
	rc_buf_clear(ret);
	p = body;
	for (size_t i = 0; i < shape->n_digits; i++) {
		const struct text *t = &shape->digits[i];

		rc_buf_put(ret, p, (size_t)(t->at - p));
		rc_buf_printf(ret, MARK "%zu", i);
		p = t->at + t->len;
	}
	rc_buf_put(ret, p, (size_t)(body + len - p));
	return true;
}

static void put_digits(json_t *value, const struct shape *shape)
{
	const char *text, *key;
	json_t *item;
	size_t i;

	switch (json_typeof(value)) {
	case JSON_OBJECT:
		json_object_foreach(value, key, item) put_digits(item, shape);
		break;
	case JSON_ARRAY:
		json_array_foreach(value, i, item) put_digits(item, shape);
		break;
	case JSON_STRING:
		text = json_string_value(value);
		if (strncmp(text, MARK, strlen(MARK)) != 0)
			break;
		i = strtoul(text + strlen(MARK), NULL, 10);
		assert(i < shape->n_digits);
		json_string_setn_nocheck(value, shape->digits[i].at, shape->digits[i].len);
		break;
	case JSON_INTEGER:
	case JSON_REAL:
	case JSON_TRUE:
	case JSON_FALSE:
	case JSON_NULL:
		break;
	}
}

json_t *body_parse(const char *body, size_t len, json_error_t *error)
{
	const size_t flags = JSON_REJECT_DUPLICATES | JSON_DECODE_ANY;
	struct rc_buf marked = RC_BUF_INIT;
	struct shape shape;
	json_t *root = NULL;

	if (look(body, len, &shape) && shape.n_digits && put_marks(body, len, &shape, &marked))
		root = json_loadb((char *)marked.data, marked.len, flags, error);
	rc_buf_done(&marked);
	if (root) {
		put_digits(root, &shape);
		return root;
	}
	/* What is wrong is told of the body itself. */
	return json_loadb(len ? body : "", len, flags, error);
}
