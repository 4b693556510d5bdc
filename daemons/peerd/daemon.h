/* peerd as a daemon: the core with sockets, the bus, files and options around it. */
#ifndef PEERD_DAEMON_H
#define PEERD_DAEMON_H

#include "daemons/peerd/chain_bus.h"
#include "daemons/peerd/peerd.h"
#include "daemons/peerd/sockets.h"
#include "service/service.h"

struct daemon {
	struct rc_service *service;
	struct peerd *core;
	struct sockets *sockets;
	struct chain_bus *chain;
	struct peerd_options options;
	struct rc_source *wake;	   /* the core's timers */
	struct rc_source *minute;  /* the book and anchors are saved */
	struct rc_source *figures; /* the metrics are brought up to date */
	uint8_t machine[32];
	uint8_t secret[32];
	struct book *book; /* the core's, once there is one */
	struct bans bans;
	struct anchors anchors;
	uint64_t book_saved, bans_saved;
	bool anchors_unsaved;
};

/* options.c: the table, and its values as the core's. */
extern const struct rc_option peerd_option_table[];
int options_read(const struct rc_config *config, const struct rc_network *network,
		 struct peerd_options *ret_options, struct rc_error *error);
void options_done(struct peerd_options *options);

/* files.c: what survives peerd. */
int files_load(struct daemon *daemon, struct rc_error *error);
/* What changed since it was saved; a failure is logged and tried again later. */
void files_save_book(struct daemon *daemon);
void files_save_anchors(struct daemon *daemon);
int files_save_bans(struct daemon *daemon, struct rc_error *error);

/* metrics.c */
extern const struct rc_metric_def peerd_metric_table[];
extern const size_t peerd_n_metrics;
void metrics_update(struct daemon *daemon);

/* handlers.c: rows of the bus; their context is the daemon. */
extern const struct rc_handler peerd_handlers[];
void handlers_publish_link(struct daemon *daemon, uint64_t peer, const char *addr, bool up,
			   const char *why);

/* main.c's hooks, in the order of life (daemon.c). */
void *daemon_new(struct rc_service *service);
int daemon_open(void *ctx, struct rc_error *error);
int daemon_enter(void *ctx, struct rc_error *error);
int daemon_start(void *ctx, struct rc_error *error);
void daemon_status(void *ctx, struct rc_status *ret_status);
void daemon_stop(void *ctx);
void daemon_close(void *ctx);
void daemon_free(void *ctx);

#endif
