/* What the table says, for people (help, rustycoin-rpc(7)) and for programs (OpenRPC). */
#include "daemons/rpcd/methods.h"

#include <stdlib.h>
#include <string.h>

#include "base/num.h"

const char *help_type_name(enum rpc_type type)
{
	switch (type) {
	case RPC_TYPE_INT:
		return "integer";
	case RPC_TYPE_LEVEL:
		return "integer or boolean";
	case RPC_TYPE_BOOL:
		return "boolean";
	case RPC_TYPE_TEXT:
		return "text";
	case RPC_TYPE_HEX:
		return "hex";
	case RPC_TYPE_ID:
	case RPC_TYPE_HASH:
		return "64 hex digits";
	case RPC_TYPE_AMOUNT:
		return "amount as text";
	case RPC_TYPE_TEXTS:
		return "list of texts";
	case RPC_TYPE_OBJECT:
		break;
	}
	return "object";
}

static void put_usage(const struct rpc_method *m, struct rc_buf *buf)
{
	rc_buf_printf(buf, "%s", m->name);
	for (size_t i = 0; i < m->n_params; i++)
		rc_buf_printf(buf, m->params[i].optional ? " [%s]" : " %s", m->params[i].name);
}

static void put_param(const struct rpc_param *p, const char *indent, struct rc_buf *buf)
{
	rc_buf_printf(buf, "%s%s (%s%s", indent, p->name, help_type_name(p->type),
		      p->optional ? ", optional" : "");
	if (p->def)
		rc_buf_printf(buf, ", default %s", p->def);
	rc_buf_printf(buf, "): %s\n", p->text);
	for (const struct rpc_param *f = p->fields; f && f->name; f++)
		put_param(f, "      ", buf);
}

void help_method(const struct rpc_method *m, struct rc_buf *buf)
{
	put_usage(m, buf);
	rc_buf_printf(buf, "\n\n%s\n", m->summary);
	if (m->n_params)
		rc_buf_printf(buf, "\nParameters:\n");
	for (size_t i = 0; i < m->n_params; i++)
		put_param(&m->params[i], "  ", buf);
	rc_buf_printf(buf, "\nAnswer: %s\n\nClass: %s\n", m->result, rpc_class_name(m->class));
}

void help_all(const struct rpc_table *table, struct rc_buf *buf)
{
	static const char *const groups[] = {METHODS_GROUPS};

	for (size_t g = 0; g < RC_ARRAY_LEN(groups); g++) {
		rc_buf_printf(buf, "%s== %s ==\n", g ? "\n" : "", groups[g]);
		for (size_t i = 0; i < table->n; i++) {
			if (strcmp(table->methods[i].group, groups[g]))
				continue;
			put_usage(&table->methods[i], buf);
			rc_buf_put_u8(buf, '\n');
		}
	}
}

/* Text as mdoc wants it: a sentence a line, backslashes escaped. */
static void put_mdoc(struct rc_buf *buf, const char *text)
{
	for (; *text; text++) {
		if (*text == '\\')
			rc_buf_printf(buf, "\\e");
		else
			rc_buf_put_u8(buf, (uint8_t)*text);
		if (*text == '.' && text[1] == ' ') {
			rc_buf_put_u8(buf, '\n');
			text++;
		}
	}
	rc_buf_put_u8(buf, '\n');
}

static void put_mdoc_param(const struct rpc_param *p, struct rc_buf *buf)
{
	rc_buf_printf(buf, ".It Fa %s Pq %s%s", p->name, help_type_name(p->type),
		      p->optional ? ", optional" : "");
	if (p->def)
		rc_buf_printf(buf, ", default %s", p->def);
	rc_buf_put_u8(buf, '\n');
	put_mdoc(buf, p->text);
	if (!p->fields)
		return;
	rc_buf_printf(buf, ".Bl -tag -width Ds -compact\n");
	for (const struct rpc_param *f = p->fields; f->name; f++)
		put_mdoc_param(f, buf);
	rc_buf_printf(buf, ".El\n");
}

static void put_mdoc_method(const struct rpc_method *m, struct rc_buf *buf)
{
	rc_buf_printf(buf, ".It Ic %s", m->name);
	for (size_t i = 0; i < m->n_params; i++)
		rc_buf_printf(buf, m->params[i].optional ? " Op Ar %s" : " Ar %s",
			      m->params[i].name);
	rc_buf_put_u8(buf, '\n');
	put_mdoc(buf, m->summary);
	rc_buf_printf(buf, "Class %s.\nAnswer: ", rpc_class_name(m->class));
	put_mdoc(buf, m->result);
	if (!m->n_params)
		return;
	rc_buf_printf(buf, ".Bl -tag -width Ds -compact\n");
	for (size_t i = 0; i < m->n_params; i++)
		put_mdoc_param(&m->params[i], buf);
	rc_buf_printf(buf, ".El\n");
}

void help_mdoc(const struct rpc_table *table, struct rc_buf *buf)
{
	static const char *const groups[] = {METHODS_GROUPS};

	for (size_t g = 0; g < RC_ARRAY_LEN(groups); g++) {
		rc_buf_printf(buf, ".Ss %c%s\n.Bl -tag -width Ds\n", groups[g][0] - 'a' + 'A',
			      groups[g] + 1);
		for (size_t i = 0; i < table->n; i++)
			if (!strcmp(table->methods[i].group, groups[g]))
				put_mdoc_method(&table->methods[i], buf);
		rc_buf_printf(buf, ".El\n");
	}
}

static void out_schema(struct json_out *out, const struct rpc_param *p);

static void out_fields(struct json_out *out, const struct rpc_param *fields)
{
	out_object(out, "properties");
	for (const struct rpc_param *f = fields; f->name; f++) {
		out_object(out, f->name);
		out_text(out, "description", f->text);
		out_schema(out, f);
		out_object_end(out);
	}
	out_object_end(out);
	out_bool(out, "additionalProperties", false);
}

/* JSON Schema's members for a parameter, into an object that is open. */
static void out_schema(struct json_out *out, const struct rpc_param *p)
{
	switch (p->type) {
	case RPC_TYPE_LEVEL:
		out_array(out, "type");
		out_text(out, NULL, "integer");
		out_text(out, NULL, "boolean");
		out_array_end(out);
		out_int(out, "minimum", p->min);
		out_int(out, "maximum", p->max);
		break;
	case RPC_TYPE_INT:
		out_text(out, "type", "integer");
		out_int(out, "minimum", p->min);
		out_int(out, "maximum", p->max);
		break;
	case RPC_TYPE_BOOL:
		out_text(out, "type", "boolean");
		break;
	case RPC_TYPE_TEXT:
		out_text(out, "type", "string");
		out_int(out, "minLength", p->min);
		out_int(out, "maxLength", p->max);
		break;
	case RPC_TYPE_HEX:
		out_text(out, "type", "string");
		out_textf(out, "pattern", "^([0-9a-fA-F]{2})*$");
		out_int(out, "minLength", 2 * p->min);
		out_int(out, "maxLength", 2 * p->max);
		break;
	case RPC_TYPE_ID:
	case RPC_TYPE_HASH:
		out_text(out, "type", "string");
		out_text(out, "pattern", "^[0-9a-fA-F]{64}$");
		break;
	case RPC_TYPE_AMOUNT:
		out_text(out, "type", "string");
		out_text(out, "pattern", "^[0-9]+(\\.[0-9]{1,8})?$");
		break;
	case RPC_TYPE_TEXTS:
		out_text(out, "type", "array");
		out_int(out, "minItems", p->min);
		out_int(out, "maxItems", p->max);
		break;
	case RPC_TYPE_OBJECT:
		out_text(out, "type", "object");
		out_fields(out, p->fields);
		break;
	}
	if (p->def)
		out_text(out, "default", p->def);
}

static void out_method(struct json_out *out, const struct rpc_method *m)
{
	out_object(out, NULL);
	out_text(out, "name", m->name);
	out_text(out, "summary", m->summary);
	out_array(out, "tags");
	out_object(out, NULL);
	out_text(out, "name", m->group);
	out_object_end(out);
	out_array_end(out);
	out_text(out, "paramStructure", "either");
	out_array(out, "params");
	for (size_t i = 0; i < m->n_params; i++) {
		out_object(out, NULL);
		out_text(out, "name", m->params[i].name);
		out_text(out, "description", m->params[i].text);
		out_bool(out, "required", !m->params[i].optional);
		out_object(out, "schema");
		out_schema(out, &m->params[i]);
		out_object_end(out);
		out_object_end(out);
	}
	out_array_end(out);
	out_object(out, "result");
	out_text(out, "name", "result");
	out_text(out, "description", m->result);
	out_object(out, "schema");
	out_object_end(out);
	out_object_end(out);
	out_text(out, "x-class", rpc_class_name(m->class));
	out_object_end(out);
}

void help_openrpc(const struct rpc_table *table, struct json_out *out)
{
	out_object(out, NULL);
	out_text(out, "openrpc", "1.2.6");
	out_object(out, "info");
	out_text(out, "title", "Rusty Coin");
	out_text(out, "version", RC_VERSION);
	out_object_end(out);
	out_array(out, "methods");
	for (size_t i = 0; i < table->n; i++)
		out_method(out, &table->methods[i]);
	out_array_end(out);
	out_object_end(out);
}
