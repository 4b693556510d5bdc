/* Peers: what peerd tells, in the words of the family. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "daemons/rpcd/backends.h"
#include "daemons/rpcd/heavy.h"
#include "daemons/rpcd/methods.h"

static void show_texts(struct json_out *out, const char *key, const char *const *texts, size_t n)
{
	out_array(out, key);
	for (size_t i = 0; i < n; i++)
		out_text(out, NULL, texts[i]);
	out_array_end(out);
}

static bool key_known(const uint8_t key[33])
{
	return key[0] != 0;
}

/* ---- at a glance ---- */

static void on_network_info(void *arg, const struct rc_reply *why, const struct rc_peerd_net *net)
{
	struct rpc_call *call = call_resume(arg, why);
	struct json_out *out;

	if (!call)
		return;
	out = &call->out;
	out_object(out, NULL);
	out_text(out, "version", RC_VERSION);
	out_text(out, "subversion", net->user_agent);
	out_uint(out, "protocolversion", net->protocol);
	show_texts(out, "localservicesnames", net->services, net->n_services);
	out_bool(out, "networkactive", net->active);
	out_uint(out, "connections", net->inbound + net->outbound);
	out_uint(out, "connections_in", net->inbound);
	out_uint(out, "connections_out", net->outbound);
	show_texts(out, "listening", net->listening, net->n_listening);
	out_hex(out, "linkkey", net->link_key, sizeof(net->link_key));
	out_object_end(out);
	rpc_call_done(call);
}

static void on_net_totals(void *arg, const struct rc_reply *why, const struct rc_peerd_net *net)
{
	struct rpc_call *call = call_resume(arg, why);

	if (!call)
		return;
	out_object(&call->out, NULL);
	out_uint(&call->out, "totalbytesrecv", net->bytes_received);
	out_uint(&call->out, "totalbytessent", net->bytes_sent);
	out_uint(&call->out, "timemillis", net->time_ms);
	out_object_end(&call->out);
	rpc_call_done(call);
}

static void on_connection_count(void *arg, const struct rc_reply *why,
				const struct rc_peerd_net *net)
{
	struct rpc_call *call = call_resume(arg, why);

	if (!call)
		return;
	out_uint(&call->out, NULL, net->inbound + net->outbound);
	rpc_call_done(call);
}

static void ask_net(struct rpc_call *call, rc_peerd_net_fn fn)
{
	rc_peerd_net_info(call_peerd(call), call_deadline(call), fn,
			  call_wait(call, BACKEND_PEERD_READ));
}

void on_getnetworkinfo(struct rpc_call *call)
{
	ask_net(call, on_network_info);
}

void on_getnettotals(struct rpc_call *call)
{
	ask_net(call, on_net_totals);
}

void on_getconnectioncount(struct rpc_call *call)
{
	ask_net(call, on_connection_count);
}

/* ---- links ---- */

/* Microseconds as seconds, exactly. */
static void show_seconds(struct json_out *out, const char *key, uint64_t us)
{
	char text[32];
	int n = snprintf(text, sizeof(text), "%llu.%06llu", (unsigned long long)(us / 1000000),
			 (unsigned long long)(us % 1000000));

	out_raw(out, key, text, (size_t)n);
}

static void show_peer(struct json_out *out, const struct rc_peerd_peer *p)
{
	out_object(out, NULL);
	out_uint(out, "id", p->id);
	out_text(out, "addr", p->addr);
	out_text(out, "network", p->network);
	show_texts(out, "services", p->services, p->n_services);
	out_bool(out, "relaytxes", p->relay);
	out_uint(out, "lastsend", p->last_send_ms / 1000);
	out_uint(out, "lastrecv", p->last_recv_ms / 1000);
	out_uint(out, "bytessent", p->bytes_sent);
	out_uint(out, "bytesrecv", p->bytes_received);
	out_uint(out, "conntime", p->connected_ms / 1000);
	if (p->ping_us)
		show_seconds(out, "pingtime", p->ping_us);
	out_uint(out, "version", p->version);
	out_text(out, "subver", p->user_agent);
	out_bool(out, "inbound", p->inbound);
	out_text(out, "role", p->role);
	out_uint(out, "startingheight", p->start_height);
	out_uint(out, "synced_headers", p->synced_headers);
	out_uint(out, "synced_blocks", p->synced_blocks);
	out_uint(out, "inflight", p->in_flight);
	out_text(out, "transport", p->transport);
	out_uint(out, "score", p->score);
	if (key_known(p->link_key))
		out_hex(out, "linkkey", p->link_key, sizeof(p->link_key));
	out_text(out, "state", p->state);
	out_object_end(out);
}

static void on_peers(void *arg, const struct rc_reply *why, const struct rc_peerd_peer *peers,
		     size_t n)
{
	struct rpc_call *call = call_resume(arg, why);

	if (!call)
		return;
	out_array(&call->out, NULL);
	for (size_t i = 0; i < n; i++)
		show_peer(&call->out, &peers[i]);
	out_array_end(&call->out);
	rpc_call_done(call);
}

void on_getpeerinfo(struct rpc_call *call)
{
	if (heavy_enter(call, HEAVY_PEERS))
		rc_peerd_peer_info(call_peerd(call), call_deadline(call), on_peers,
				   call_wait(call, BACKEND_PEERD_READ));
}

/* ---- the book ---- */

static void on_addresses(void *arg, const struct rc_reply *why, const struct rc_peerd_address *list,
			 size_t n)
{
	struct rpc_call *call = call_resume(arg, why);
	struct json_out *out;

	if (!call)
		return;
	out = &call->out;
	out_array(out, NULL);
	for (size_t i = 0; i < n; i++) {
		out_object(out, NULL);
		out_uint(out, "time", list[i].time);
		show_texts(out, "services", list[i].services, list[i].n_services);
		out_text(out, "address", list[i].addr);
		out_uint(out, "port", list[i].port);
		out_text(out, "network", list[i].network);
		if (list[i].has_key)
			out_hex(out, "linkkey", list[i].link_key, sizeof(list[i].link_key));
		out_object_end(out);
	}
	out_array_end(out);
	rpc_call_done(call);
}

void on_getnodeaddresses(struct rpc_call *call)
{
	if (heavy_enter(call, HEAVY_PEERS))
		rc_peerd_node_addresses(call_peerd(call), (uint32_t)call->args[0].i,
					call->args[1].text, call->args[2].text, call_deadline(call),
					on_addresses, call_wait(call, BACKEND_PEERD_READ));
}

static void on_books(void *arg, const struct rc_reply *why, const struct rc_peerd_book *books,
		     size_t n)
{
	struct rpc_call *call = call_resume(arg, why);

	if (!call)
		return;
	out_object(&call->out, NULL);
	for (size_t i = 0; i < n; i++) {
		out_object(&call->out, books[i].network);
		out_uint(&call->out, "new", books[i].fresh);
		out_uint(&call->out, "tried", books[i].tried);
		out_uint(&call->out, "total", (uint64_t)books[i].fresh + books[i].tried);
		out_object_end(&call->out);
	}
	out_object_end(&call->out);
	rpc_call_done(call);
}

void on_getaddrmaninfo(struct rpc_call *call)
{
	rc_peerd_addrman_info(call_peerd(call), call_deadline(call), on_books,
			      call_wait(call, BACKEND_PEERD_READ));
}

/* ---- bans ---- */

static void on_bans(void *arg, const struct rc_reply *why, const struct rc_peerd_ban *bans,
		    size_t n)
{
	struct rpc_call *call = call_resume(arg, why);
	struct json_out *out;

	if (!call)
		return;
	out = &call->out;
	out_array(out, NULL);
	for (size_t i = 0; i < n; i++) {
		out_object(out, NULL);
		out_text(out, "address", bans[i].subnet);
		out_uint(out, "ban_created", bans[i].created);
		out_uint(out, "banned_until", bans[i].until);
		out_text(out, "reason", bans[i].reason);
		out_object_end(out);
	}
	out_array_end(out);
	rpc_call_done(call);
}

void on_listbanned(struct rpc_call *call)
{
	if (heavy_enter(call, HEAVY_PEERS))
		rc_peerd_list_banned(call_peerd(call), call_deadline(call), on_bans,
				     call_wait(call, BACKEND_PEERD_READ));
}

/* ---- an administrator's requests ---- */

#define ALREADY_ADDED (-23) /* Core's codes for these three */
#define NOT_ADDED     (-24)
#define NOT_CONNECTED (-29)
#define BAD_SUBNET    (-30)

static void on_done(void *arg, const struct rc_reply *why)
{
	struct rpc_call *call = call_resume(arg, why);

	if (!call)
		return;
	out_null(&call->out, NULL);
	rpc_call_done(call);
}

/* One of two or three words; false: the call is answered. */
static bool check_word(struct rpc_call *call, const struct rpc_arg *arg, const char *const *words,
		       size_t n, const char *text)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(arg->text, words[i]))
			return true;
	rpc_call_fail(call, RPC_BAD_PARAMETER, "%s: \"command\" must be %s", call->method->name,
		      text);
	return false;
}

static void fail_or_done(struct rpc_call *call, const struct rc_reply *why, int exists, int absent)
{
	if (why->err == RC_EEXIST || why->err == RC_ENOENT)
		rpc_call_fail(call, why->err == RC_EEXIST ? exists : absent, "%s: %s",
			      call->method->name,
			      why->text && *why->text ? why->text : rc_err_text(why->err));
	else if (why->err)
		call_fail_reply(call, why);
	else {
		out_null(&call->out, NULL);
		rpc_call_done(call);
	}
}

static void on_node_added(void *arg, const struct rc_reply *why)
{
	struct rpc_call *call = call_resume_any(arg, why);

	if (call)
		fail_or_done(call, why, ALREADY_ADDED, NOT_ADDED);
}

void on_addnode(struct rpc_call *call)
{
	static const char *const words[] = {"add", "remove", "onetry"};

	if (check_word(call, &call->args[1], words, RC_ARRAY_LEN(words), "add, remove or onetry"))
		rc_peerd_add_node(call_peerd_admin(call), call->args[0].text, call->args[1].text,
				  call_deadline(call), on_node_added,
				  call_wait(call, BACKEND_PEERD_ADMIN));
}

static void on_disconnected(void *arg, const struct rc_reply *why)
{
	struct rpc_call *call = call_resume_any(arg, why);

	if (call)
		fail_or_done(call, why, RPC_MISC, NOT_CONNECTED);
}

void on_disconnectnode(struct rpc_call *call)
{
	bool by_address = call->args[0].given && *call->args[0].text;

	if (by_address == call->args[1].given) {
		rpc_call_fail(call, RPC_INVALID_PARAMS,
			      "disconnectnode: give either \"address\" or \"nodeid\"");
		return;
	}
	rc_peerd_disconnect(call_peerd_admin(call), by_address ? call->args[0].text : NULL,
			    by_address ? 0 : (uint64_t)call->args[1].i, call_deadline(call),
			    on_disconnected, call_wait(call, BACKEND_PEERD_ADMIN));
}

static void on_ban_set(void *arg, const struct rc_reply *why)
{
	struct rpc_call *call = call_resume_any(arg, why);

	if (call)
		fail_or_done(call, why, ALREADY_ADDED, BAD_SUBNET);
}

void on_setban(struct rpc_call *call)
{
	static const char *const words[] = {"add", "remove"};

	if (check_word(call, &call->args[1], words, RC_ARRAY_LEN(words), "add or remove"))
		rc_peerd_set_ban(call_peerd_admin(call), call->args[0].text,
				 !strcmp(call->args[1].text, "remove"), (uint64_t)call->args[2].i,
				 call->args[3].b, call_deadline(call), on_ban_set,
				 call_wait(call, BACKEND_PEERD_ADMIN));
}

void on_clearbanned(struct rpc_call *call)
{
	rc_peerd_clear_banned(call_peerd_admin(call), call_deadline(call), on_done,
			      call_wait(call, BACKEND_PEERD_ADMIN));
}

void on_ping(struct rpc_call *call)
{
	rc_peerd_ping_peers(call_peerd_admin(call), call_deadline(call), on_done,
			    call_wait(call, BACKEND_PEERD_ADMIN));
}

static void on_active_set(void *arg, const struct rc_reply *why)
{
	struct rpc_call *call = call_resume(arg, why);

	if (!call)
		return;
	out_bool(&call->out, NULL, call->args[0].b);
	rpc_call_done(call);
}

void on_setnetworkactive(struct rpc_call *call)
{
	rc_peerd_set_network_active(call_peerd_admin(call), call->args[0].b, call_deadline(call),
				    on_active_set, call_wait(call, BACKEND_PEERD_ADMIN));
}
