/* Where a network lives, and devnet.json, by which other programs find it. */
#include "tools/rusty-devnet/devnet.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"

/* The longest below DIR: node16/run/chaind/submit, and sun_path holds 107 bytes. */
#define SOCKET_TAIL	"/node16/run/chaind/submit"
#define SUN_PATH_BYTES	107
#define STATE_BYTES_MAX (1u << 20) /* 16 nodes are 6 KB */

const char *const devnet_daemons[DEVNET_DAEMONS] = {"utxod", "chaind", "peerd", "rpcd"};

static int find_programs(struct devnet *net, struct rc_error *error)
{
	char self[PATH_MAX / 2], probe[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	if (n < 0)
		return rc_error_errno(error, "/proc/self/exe");
	self[n] = 0;
	slash = strrchr(self, '/');
	if (slash)
		*slash = 0;
	snprintf(net->bindir, sizeof(net->bindir), "%s", self);
	/* In the build directory all are in one folder; installed, daemons are in libexec. */
	snprintf(net->libexecdir, sizeof(net->libexecdir), "%s", self);
	snprintf(probe, sizeof(probe), "%s/chaind", self);
	if (access(probe, X_OK) == 0)
		return RC_OK;
	snprintf(net->libexecdir, sizeof(net->libexecdir), "%s/../libexec/rustycoin", self);
	snprintf(probe, sizeof(probe), "%s/../libexec/rustycoin/chaind", self);
	if (access(probe, X_OK) == 0)
		return RC_OK;
	return rc_error_set(error, RC_ENOENT, "no daemons in %s or %s", net->bindir,
			    net->libexecdir);
}

/* Anybody may make names in /tmp: a directory there is ours only if we own it and nobody else can
 * write to it; else its devnet.json could name any node and any pid. */
static int check_owner(const struct devnet *net, struct rc_error *error)
{
	struct stat st;

	if (lstat(net->dir, &st) < 0)
		return errno == ENOENT ? RC_OK : rc_error_errno(error, "%s", net->dir);
	if (!S_ISDIR(st.st_mode) || st.st_uid != getuid() || (st.st_mode & (S_IWGRP | S_IWOTH)))
		return rc_error_set(
			error, RC_EACCES,
			"%s isn't a directory that only you can write to: remove it, or "
			"choose another --dir",
			net->dir);
	return RC_OK;
}

int devnet_locate(struct devnet *net, const char *dir, struct rc_error *error)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	int n;

	if (dir && dir[0] != '/') {
		RC_AUTOFREE char *here = getcwd(NULL, 0);

		n = snprintf(net->dir, sizeof(net->dir), "%s/%s", here ? here : "", dir);
	} else if (dir) {
		n = snprintf(net->dir, sizeof(net->dir), "%s", dir);
	} else if (runtime && runtime[0] == '/') {
		n = snprintf(net->dir, sizeof(net->dir), "%s/rusty-devnet", runtime);
	} else {
		n = snprintf(net->dir, sizeof(net->dir), "/tmp/rusty-devnet-%ld", (long)getuid());
	}
	if ((size_t)n + strlen(SOCKET_TAIL) > SUN_PATH_BYTES)
		return rc_error_set(error, RC_ETOOBIG,
				    "%s is too long: a socket's path may have %d bytes, of which "
				    "%zu come below it; choose a shorter --dir",
				    net->dir, SUN_PATH_BYTES, strlen(SOCKET_TAIL));
	n = check_owner(net, error);
	return n < 0 ? n : find_programs(net, error);
}

void devnet_plan(struct devnet *net, unsigned n_nodes, uint16_t base_port)
{
	net->n_nodes = n_nodes;
	for (unsigned i = 0; i < n_nodes; i++) {
		struct devnet_node *node = &net->nodes[i];

		snprintf(node->name, sizeof(node->name), "node%u", i + 1);
		snprintf(node->datadir, sizeof(node->datadir), "%.*s/%s", PATH_MAX - 32, net->dir,
			 node->name);
		node->port = (uint16_t)(base_port + 10 * i);
	}
}

json_t *devnet_json(const struct devnet *net)
{
	json_t *nodes = json_array();

	for (unsigned i = 0; i < net->n_nodes; i++) {
		const struct devnet_node *node = &net->nodes[i];
		json_t *daemons = json_object();

		for (unsigned d = 0; d < DEVNET_DAEMONS; d++)
			json_object_set_new(daemons, devnet_daemons[d],
					    json_integer(node->pids[d]));
		json_array_append_new(
			nodes,
			json_pack("{s:s, s:s, s:s, s:o, s:o, s:i, s:o}", "name", node->name, "role",
				  "full", "datadir", node->datadir, "rpc",
				  json_sprintf("http://127.0.0.1:%u", node->port + 1u), "cookie",
				  json_sprintf("%s/run/rpcd/cookie", node->datadir), "port",
				  (int)node->port, "daemons", daemons));
	}
	return json_pack("{s:o}", "nodes", nodes);
}

int devnet_save(const struct devnet *net, struct rc_error *error)
{
	RC_AUTOFREE char *path = rc_asprintf("%s/devnet.json", net->dir);
	json_t *root = devnet_json(net);
	RC_AUTOFREE char *text = json_dumps(root, JSON_INDENT(2));

	json_decref(root);
	return rc_file_replace(path, text, strlen(text), 0644, error);
}

static bool load_node(const json_t *object, struct devnet_node *node)
{
	const char *name = json_string_value(json_object_get(object, "name"));
	const char *datadir = json_string_value(json_object_get(object, "datadir"));
	json_int_t port = json_integer_value(json_object_get(object, "port"));

	if (!name || !datadir || strlen(name) >= sizeof(node->name) ||
	    strlen(datadir) >= sizeof(node->datadir) || port < 1 || port > 65533)
		return false;
	snprintf(node->name, sizeof(node->name), "%s", name);
	snprintf(node->datadir, sizeof(node->datadir), "%s", datadir);
	node->port = (uint16_t)port;
	for (unsigned d = 0; d < DEVNET_DAEMONS; d++)
		node->pids[d] = (pid_t)json_integer_value(
			json_object_get(json_object_get(object, "daemons"), devnet_daemons[d]));
	return true;
}

int devnet_load(struct devnet *net, struct rc_error *error)
{
	RC_AUTOFREE char *path = rc_asprintf("%s/devnet.json", net->dir);
	struct rc_buf buf = RC_BUF_INIT;
	json_t *root, *nodes, *object;
	json_error_t why;
	size_t i;
	int err = rc_file_read(path, STATE_BYTES_MAX, &buf, error);

	if (err == RC_ENOENT)
		return rc_error_set(error, err, "no network in %s: rusty-devnet up makes one",
				    net->dir);
	if (err < 0)
		return err;
	root = json_loadb((char *)buf.data, buf.len, 0, &why);
	rc_buf_done(&buf);
	nodes = json_object_get(root, "nodes");
	if (!json_is_array(nodes) || json_array_size(nodes) > DEVNET_NODES_MAX)
		err = rc_error_set(error, RC_EFORMAT, "%s: not a network's file", path);
	net->n_nodes = 0;
	if (!err)
		json_array_foreach(nodes, i, object)
		{
			if (!load_node(object, &net->nodes[i])) {
				err = rc_error_set(error, RC_EFORMAT, "%s: node %zu is malformed",
						   path, i);
				break;
			}
			net->n_nodes++;
		}
	json_decref(root);
	return err;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

int devnet_remove(const struct devnet *net, struct rc_error *error)
{
	if (nftw(net->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0 && errno != ENOENT)
		return rc_error_errno(error, "removing %s", net->dir);
	return RC_OK;
}
