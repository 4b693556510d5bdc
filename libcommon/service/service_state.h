/* What the files of a service's life share. */
#ifndef RC_SERVICE_SERVICE_STATE_H
#define RC_SERVICE_SERVICE_STATE_H

#include "consensus/network.h"
#include "service/service.h"

struct rc_service {
	const struct rc_service_def *def;
	void *ctx; /* the daemon's own */
	int argc;
	char **argv;
	struct rc_config_program program;
	struct rc_config *config;
	struct rc_network network;
	struct rc_loop *loop;
	struct rc_server *server;
	struct rc_metrics *metrics;
	struct rc_source *signals[3];
	struct rc_source *stop_limit; /* timer */
	uint64_t boot;
	int64_t started_us;
	int lock_fd;  /* of the state directory; of the run directory where there is none */
	int statm_fd; /* /proc/self/statm, from before the confinement */
	gid_t groups[RC_ROLE_COUNT + 1];
	bool ready;
	bool stopping;
};

/* Rows of Status, Metrics, Reload, SetLogLevel; their context is the service. */
extern const struct rc_handler rc_service_handlers[];

/* Reads the configuration again; says in text what came of it. */
int rc_service_reload(struct rc_service *service, char *ret_text, size_t size);
void rc_service_status(struct rc_service *service, struct rc_status *ret_status);

#endif
