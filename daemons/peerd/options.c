/* peerd's options. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemons/peerd/daemon.h"

const struct rc_option peerd_option_table[] = {
	{"port", RC_OPT_U64, 0, 65535, NULL, NULL, "0", false,
	 "TCP port where peers are awaited; 0 is the network's own (main 7440, test 27440, reg "
	 "17440)."},
	{"listen", RC_OPT_LIST, 0, 0, NULL, NULL, NULL, false,
	 "Addresses to listen at, IP, IP:PORT or [IP]:PORT; none listens nowhere; by default all "
	 "addresses of this host."},
	{"max_inbound", RC_OPT_U64, 0, 10000, NULL, NULL, "125", false,
	 "The most links that others made; more serves more nodes and takes more memory."},
	{"outbound", RC_OPT_U64, 0, 100, NULL, NULL, "8", false,
	 "How many full links this node makes by itself, in distinct network groups."},
	{"block_only", RC_OPT_U64, 0, 100, NULL, NULL, "2", false,
	 "How many links this node makes beside those that carry blocks only, which show an "
	 "observer nothing of who knows whom."},
	{"connect", RC_OPT_LIST, 0, 0, NULL, NULL, NULL, false,
	 "Dial these nodes and no others: IP:PORT or [IP]:PORT, KEY@ before it where its link key "
	 "(66 digits) is known."},
	{"addnode", RC_OPT_LIST, 0, 0, NULL, NULL, NULL, false,
	 "Nodes to keep a link to beside the ones found, written as for connect."},
	{"seednode", RC_OPT_LIST, 0, 0, NULL, NULL, NULL, false,
	 "Nodes to begin with, written as for connect, beside those of the network's own list."},
	{"proxy", RC_OPT_TEXT, 0, 80, NULL, NULL, NULL, false,
	 "Dial everything through this SOCKS5 proxy, IP:PORT or [IP]:PORT, as Tor's; then nothing "
	 "is listened at unless listen is set, this host's addresses aren't told, and dial_timeout "
	 "is 30 seconds unless it is set."},
	{"proxy_isolate", RC_OPT_BOOL, 0, 0, NULL, NULL, "no", false,
	 "Tell the proxy a user and a password by chance for each dial, so that Tor gives each a "
	 "circuit of its own."},
	{"external", RC_OPT_LIST, 0, 0, NULL, NULL, NULL, false,
	 "Addresses where others reach this node, told to peers; needed behind an address "
	 "translator."},
	{"discover", RC_OPT_BOOL, 0, 0, NULL, NULL, "yes", false,
	 "Tell peers the public addresses of this host's own interfaces; no hides them."},
	{"private_addresses", RC_OPT_CHOICE, 0, 0, NULL, "auto|yes|no", "auto", false,
	 "Whether loopback and private addresses are kept, dialled and told: on a private network "
	 "they are all there is; auto is yes for reg and custom networks."},
	{"dial_timeout", RC_OPT_U64, 1, 600, "seconds", NULL, "5", false,
	 "How long a connection may take to be made."},
	{"handshake_timeout", RC_OPT_U64, 1, 600, "seconds", NULL, "5", false,
	 "How long a peer may take for its handshake."},
	{"handshakes", RC_OPT_U64, 1, 10000, NULL, NULL, "64", false,
	 "The most inbound connections in their handshake at a time."},
	{"handshakes_per_group", RC_OPT_U64, 1, 10000, NULL, NULL, "16", false,
	 "The same for one network group."},
	{"ping_after", RC_OPT_U64, 1, 600, "seconds", NULL, "5", false,
	 "A link on which something was sent and nothing came back for so long is pinged."},
	{"ping_idle", RC_OPT_U64, 1, 3600, "seconds", NULL, "120", false,
	 "A silent link is pinged so often."},
	{"link_timeout", RC_OPT_U64, 1, 600, "seconds", NULL, "20", false,
	 "A link whose ping isn't answered for so long is given up; data that the other side "
	 "doesn't acknowledge likewise."},
	{"retry_max", RC_OPT_U64, 1, 3600, "seconds", NULL, "60", false,
	 "A lost link is tried again after 1, 2, 4 seconds and so on up to this."},
	{"stall_timeout", RC_OPT_U64, 1, 600, "seconds", NULL, "2", false,
	 "Blocks that don't come are asked of another peer after this, doubled up to 32 times "
	 "while "
	 "that goes on."},
	{"relay_delay_ms", RC_OPT_U64, 0, 60000, "milliseconds", NULL, "200", false,
	 "The mean of the random delay before a transaction is announced to a peer; longer hides "
	 "better where it came from."},
	{"session_hours", RC_OPT_U64, 1, 240, "hours", NULL, "24", false,
	 "A link is made anew after so long, with fresh keys."},
	{NULL, 0, 0, 0, NULL, NULL, NULL, false, NULL},
};

/* 1 TB (crypto.md, 6.3). */
#define SESSION_BYTES UINT64_C(1000000000000)
/* A proxy that builds a path first takes longer than a connection. */
#define PROXY_DIAL_SECONDS 30
static int endpoints(const struct rc_config *config, const char *name, uint16_t port,
		     struct net_endpoint **ret, size_t *ret_n, struct rc_error *error)
{
	const char *const *list;
	size_t n = rc_config_list(config, name, &list);

	*ret = n ? rc_alloc_array(n, sizeof(**ret)) : NULL;
	*ret_n = 0;
	for (size_t i = 0; i < n; i++) {
		if (!net_endpoint_parse(list[i], port, &(*ret)[i]))
			return rc_error_set(error, RC_ECONFIG,
					    "%s: %.120s is not IP:PORT or [IP]:PORT, nor KEY@ "
					    "before one",
					    name, list[i]);
		(*ret_n)++;
	}
	return RC_OK;
}

/* The network's bootstrap list after the option's. */
static int seeds(const struct rc_config *config, const struct rc_network *network,
		 struct peerd_options *o, struct rc_error *error)
{
	int err = endpoints(config, "seednode", o->default_port, &o->seeds, &o->n_seeds, error);
	RC_AUTOFREE char *list = rc_strdup(network->bootstrap);
	char *save, *word;

	if (err)
		return err;
	for (word = strtok_r(list, ", ", &save); word; word = strtok_r(NULL, ", ", &save)) {
		o->seeds = rc_realloc_array(o->seeds, o->n_seeds + 1, sizeof(*o->seeds));
		if (!net_endpoint_parse(word, o->default_port, &o->seeds[o->n_seeds]))
			return rc_error_set(error, RC_ECONFIG,
					    "bootstrap of network %s: %.120s is no address",
					    network->params.name, word);
		o->n_seeds++;
	}
	return RC_OK;
}

static int external(const struct rc_config *config, struct peerd_options *o, struct rc_error *error)
{
	const char *const *list;
	size_t n = rc_config_list(config, "external", &list), more = 16;

	o->external = rc_alloc_array(n + more, sizeof(*o->external));
	for (size_t i = 0; i < n; i++) {
		if (!net_addr_parse(list[i], o->port, &o->external[i]))
			return rc_error_set(error, RC_ECONFIG,
					    "external: %.80s is not IP, IP:PORT or [IP]:PORT",
					    list[i]);
	}
	o->n_external = n;
	if (o->listen && !o->hidden && rc_config_bool(config, "discover") &&
	    !rc_config_is_set(config, "listen"))
		o->n_external +=
			sockets_own_addresses(o->port, o->private_addresses, o->external + n, more);
	return RC_OK;
}

static int64_t seconds(const struct rc_config *config, const char *name)
{
	return (int64_t)rc_config_u64(config, name) * PEERD_SECOND;
}

int options_read(const struct rc_config *config, const struct rc_network *network,
		 struct peerd_options *ret_options, struct rc_error *error)
{
	struct peerd_options *o = ret_options;
	const char *const *listen;
	const char *private = rc_config_text(config, "private_addresses");
	size_t n_listen = rc_config_list(config, "listen", &listen);
	bool builtin_public = strcmp(network->params.name, "main") == 0 ||
			      strcmp(network->params.name, "test") == 0;
	int err;

	*o = (struct peerd_options){
		.port = (uint16_t)rc_config_u64(config, "port"),
		.default_port = network->ports.peers,
		.private_addresses =
			strcmp(private, "auto") == 0 ? !builtin_public : *private == 'y',
		.listen = !(n_listen == 1 && strcmp(listen[0], "none") == 0),
		.max_inbound = (unsigned)rc_config_u64(config, "max_inbound"),
		.outbound = (unsigned)rc_config_u64(config, "outbound"),
		.block_only = (unsigned)rc_config_u64(config, "block_only"),
		.handshakes_max = (unsigned)rc_config_u64(config, "handshakes"),
		.handshakes_per_group_max = (unsigned)rc_config_u64(config, "handshakes_per_group"),
		.handshake_us = seconds(config, "handshake_timeout"),
		.dial_us = seconds(config, "dial_timeout"),
		.ping_after_us = seconds(config, "ping_after"),
		.ping_idle_us = seconds(config, "ping_idle"),
		.link_timeout_us = seconds(config, "link_timeout"),
		.retry_max_us = seconds(config, "retry_max"),
		.stall_us = seconds(config, "stall_timeout"),
		.relay_delay_us = (int64_t)rc_config_u64(config, "relay_delay_ms") * PEERD_MS,
		.session_us = seconds(config, "session_hours") * 3600,
		.session_bytes = SESSION_BYTES,
	};
	memcpy(o->memory, memory_limits, sizeof(o->memory));
	if (o->port == 0)
		o->port = o->default_port;
	if (rc_config_is_set(config, "proxy")) {
		o->listen = o->listen && n_listen > 0;
		o->hidden = true;
		if (!rc_config_is_set(config, "dial_timeout"))
			o->dial_us = PROXY_DIAL_SECONDS * PEERD_SECOND;
	}
	snprintf(o->user_agent, sizeof(o->user_agent), "/RustyCoin:%s/", RC_VERSION);
	err = endpoints(config, "connect", o->default_port, &o->connect, &o->n_connect, error);
	if (!err)
		err = endpoints(config, "addnode", o->default_port, &o->addnode, &o->n_addnode,
				error);
	if (!err)
		err = seeds(config, network, o, error);
	if (!err)
		err = external(config, o, error);
	return err;
}

void options_done(struct peerd_options *o)
{
	free(o->connect);
	free(o->addnode);
	free(o->seeds);
	free(o->external);
}
